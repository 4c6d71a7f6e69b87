import type { DrivenPage } from './driven-page.ts'
import { firefox } from './firefox.ts'
import { webKit } from './webkit.ts'

/** A kind of browser, beside the Chromium in which all stories are told. */
export interface Engine {
  readonly name: string
  /** What is not installed of what it takes, or `undefined` if all of it is. */
  missing(): Promise<string | undefined>
  /** Whether a browser that is opened with the profile of an earlier one has what that one stored. */
  readonly keepsProfiles: boolean
  launch(options: LaunchOptions): Promise<EngineBrowser>
}

export interface LaunchOptions {
  /** The folder for all that the browser writes. */
  readonly profileDir: string
  /** Refuses pages all storage, as a user can ask the browser to. */
  readonly refusesStorage?: boolean
}

/** A browser with one person's storage. */
export interface EngineBrowser extends AsyncDisposable {
  readonly version: string
  newPage(): Promise<DrivenPage>
  /** Errors that its pages did not note themselves, such as requests that failed. */
  errors(): readonly string[]
}

export const engines: readonly Engine[] = [firefox, webKit]
