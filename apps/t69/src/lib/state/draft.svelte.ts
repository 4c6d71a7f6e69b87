import { newChatDraft, noteDraft, readDraft, saveDraft } from './device-storage.ts'

/** How long after the last key the draft is stored, in ms. */
const saveAfterMs = 250

/** A text that is being written, in a composer or into a message, stored on this device until it is sent. */
export class Draft {
  text = $state('')
  readonly #spaceId: string
  #draftId: () => string
  /** Where the text was stored last. */
  #storedAs: string
  /** Resolves once `text` holds what was stored. */
  readonly #restored: Promise<void>
  #isRestored = false
  #isSaved = true
  #timer: ReturnType<typeof setTimeout> | undefined

  /** `begun` is what there is to change; what is stored takes its place. */
  constructor(spaceId: string, draftId: () => string, begun = '') {
    this.text = begun
    this.#spaceId = spaceId
    this.#draftId = draftId
    this.#storedAs = draftId()
    this.#restored = this.#restore(begun)
  }

  /** Text that was typed or sent before the disk answered takes nothing away from what is stored. */
  async #restore(begun: string): Promise<void> {
    const stored = await readDraft(this.#spaceId, this.#storedAs)
    this.#isRestored = true
    if (stored === undefined) return
    if (this.text === begun) this.text = stored
    else this.#putInFront(stored)
  }

  /** It is that of another chat from now on: its text is stored there. */
  become(draftId: () => string): void {
    this.#draftId = draftId
  }

  /** The user typed: stores the text soon. */
  typed(): void {
    this.#isSaved = false
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.save(), saveAfterMs)
  }

  /** Stores the text now, if it has changed. */
  async save(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#restored
    if (this.#isSaved) return
    this.#isSaved = true
    const [before, id] = [this.#storedAs, this.#idNow]
    this.#storedAs = id
    await saveDraft(this.#spaceId, id, this.text)
    if (before !== id) await saveDraft(this.#spaceId, before, '')
  }

  /** Where the text is to be stored. */
  get #idNow(): string {
    // A chat that has a draft of its own keeps it. The space may be closed by now, and then knows no chat.
    return this.#storedAs === newChatDraft ? this.#draftId() : this.#storedAs
  }

  /** The page is left: keeps the text without waiting, if it has changed. */
  leave(): void {
    // What is stored would give way to what was typed before it was there.
    if (this.#isSaved || !this.#isRestored) return
    const [before, id] = [this.#storedAs, this.#idNow]
    noteDraft(this.#spaceId, id, this.text)
    if (before !== id) noteDraft(this.#spaceId, before, '')
    void this.save()
  }

  /** Takes the text away to send it. The stored copy stays until `settle`. */
  take(): string {
    const { text } = this
    this.text = ''
    clearTimeout(this.#timer)
    this.#isSaved = true
    return text
  }

  /** Ends a send: puts `unsent` back, in front of what the user has typed meanwhile, and stores what is left. */
  async settle(unsent: string | null): Promise<void> {
    if (unsent !== null) this.#putInFront(unsent)
    this.#isSaved = false
    await this.save()
  }

  #putInFront(text: string): void {
    this.text = this.text === '' ? text : `${text}\n${this.text}`
  }
}
