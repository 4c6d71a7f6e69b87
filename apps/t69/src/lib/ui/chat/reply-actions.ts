/** What somebody can do about a reply, or a message that has none. */
export interface ReplyActions {
  /** Asks for an answer to a message that has none; null while there is nobody to ask. */
  readonly answer: (() => void) | null
  /** Asks for another version of it. */
  readonly again: () => void
  /** The same for one whose device is gone: only one device answers in its place. */
  readonly takeOver: () => void
  /** Asks the model to go on where it stopped. */
  readonly goOn: () => void
  /** Asks for another version, of a model that is chosen first. */
  readonly otherModel: () => void
  readonly settings: () => void
  /** Asks the device of the reader's that is writing it to stop. */
  readonly stop: () => void
}
