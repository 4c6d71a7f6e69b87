/** A rule for what the compiler cannot hold: browsers without `Symbol.dispose` cannot run a `using`, compiled or not. */
const noUsing = {
  create: (context) => ({
    VariableDeclaration(node) {
      if (node.kind !== 'using' && node.kind !== 'await using') return
      context.report({ node, message: 'Safari has no `using`: write `try` and `finally`.' })
    },
  }),
}

export default { meta: { name: 'baseline' }, rules: { 'no-using': noUsing } }
