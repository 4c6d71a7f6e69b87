import { createInterface } from 'node:readline/promises'

/** Asks a question that is answered with yes or no. Ctrl-C and Ctrl-D are a no. */
export async function ask(
  question: string,
  { input, output }: { readonly input: NodeJS.ReadableStream; readonly output: NodeJS.WritableStream },
): Promise<boolean> {
  const terminal = createInterface({ input, output, terminal: true })
  try {
    return /^y(?:es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim())
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'AbortError') throw error
    output.write('\n')
    return false
  } finally {
    terminal.close()
  }
}
