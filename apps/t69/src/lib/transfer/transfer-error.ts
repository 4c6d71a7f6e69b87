/** Why a file cannot be read: what is wrong with it, and where. */
export type TransferProblem =
  /** It is neither a zip nor JSON. */
  | 'unreadable'
  /** It is a zip, and broken or encrypted. */
  | 'broken-zip'
  /** It is none of the exports that t69 knows. */
  | 'unknown'
  /** It is one of them by its form, but a part of it is not. */
  | 'wrong-shape'
  /** It is larger than this device could hold once it is unpacked. */
  | 'too-large'
  /** It was made by a newer t69. */
  | 'too-new'
  | 'empty'

export class TransferError extends Error {
  readonly problem: TransferProblem
  /** The file, or the file in the zip. */
  readonly file: string
  /** The place in it, such as `[3].mapping`; empty for the whole file. */
  readonly at: string

  constructor(problem: TransferProblem, file: string, at = '', detail = '') {
    super([`${problem}: ${file}`, at, detail].filter((part) => part !== '').join(' '))
    this.name = 'TransferError'
    this.problem = problem
    this.file = file
    this.at = at
  }
}

/** In words for whoever chose the file. */
export function transferErrorText({ problem, file, at }: TransferError): string {
  switch (problem) {
    case 'unreadable':
      return `The file “${file}” is neither a zip file nor JSON.`
    case 'broken-zip':
      return `The file “${file}” is damaged or encrypted. Download it again.`
    case 'unknown':
      return `The file “${file}” is not an export that t69 can read.`
    case 'wrong-shape':
      return `The file “${file}” is damaged at ${at}. Nothing was imported.`
    case 'too-large':
      return `The file “${file}” is too large to import here.`
    case 'too-new':
      return `The file “${file}” was made by a newer version of t69. Reload the page, then try again.`
    case 'empty':
      return `There is no chat in “${file}”.`
  }
}
