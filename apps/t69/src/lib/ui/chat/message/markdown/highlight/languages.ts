/** What each language is called: by its grammar, on screen, and where code names it otherwise. */
const languages = [
  ['bash', 'Shell', 'sh', 'shell', 'zsh', 'console', 'shellscript'],
  ['c', 'C', 'h'],
  ['cpp', 'C++', 'c++', 'cc', 'hpp', 'cxx'],
  ['csharp', 'C#', 'cs', 'c#'],
  ['css', 'CSS'],
  ['dart', 'Dart'],
  ['diff', 'Diff', 'patch'],
  ['docker', 'Dockerfile', 'dockerfile'],
  ['elixir', 'Elixir', 'ex', 'exs'],
  ['go', 'Go', 'golang'],
  ['graphql', 'GraphQL', 'gql'],
  ['haskell', 'Haskell', 'hs'],
  ['html', 'HTML', 'htm'],
  ['ini', 'INI', 'properties', 'conf'],
  ['java', 'Java'],
  ['javascript', 'JavaScript', 'js', 'mjs', 'cjs', 'node'],
  ['json', 'JSON', 'json5', 'jsonc'],
  ['jsx', 'JSX'],
  ['julia', 'Julia', 'jl'],
  ['kotlin', 'Kotlin', 'kt', 'kts'],
  ['latex', 'LaTeX', 'tex'],
  ['lua', 'Lua'],
  ['make', 'Makefile', 'makefile', 'mk'],
  ['markdown', 'Markdown', 'md'],
  ['mermaid', 'Mermaid'],
  ['nginx', 'nginx'],
  ['nix', 'Nix'],
  ['perl', 'Perl', 'pl'],
  ['php', 'PHP'],
  ['powershell', 'PowerShell', 'ps1', 'ps'],
  ['python', 'Python', 'py', 'python3'],
  ['r', 'R'],
  ['ruby', 'Ruby', 'rb'],
  ['rust', 'Rust', 'rs'],
  ['scala', 'Scala'],
  ['scss', 'SCSS', 'sass'],
  ['sql', 'SQL', 'mysql', 'postgresql', 'sqlite', 'plsql'],
  ['svelte', 'Svelte'],
  ['swift', 'Swift'],
  ['toml', 'TOML'],
  ['tsx', 'TSX'],
  ['typescript', 'TypeScript', 'ts', 'mts', 'cts'],
  ['vue', 'Vue'],
  ['xml', 'XML', 'svg', 'xsl'],
  ['yaml', 'YAML', 'yml'],
  ['zig', 'Zig'],
] as const

export type Grammar = (typeof languages)[number][0]

const byAlias = new Map<string, { readonly grammar: Grammar; readonly name: string }>()
for (const [grammar, name, ...aliases] of languages)
  for (const alias of [grammar, ...aliases]) byAlias.set(alias, { grammar, name })

/** The grammar for a language as code names it; undefined where there is none. */
export function grammarOf(language: string): Grammar | undefined {
  return byAlias.get(language.toLowerCase())?.grammar
}

/** What the reader is told. Languages without a grammar keep the name that the code gives. */
export function languageName(language: string): string {
  return byAlias.get(language.toLowerCase())?.name ?? language.slice(0, 30)
}
