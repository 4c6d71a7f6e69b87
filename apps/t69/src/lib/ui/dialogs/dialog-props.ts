import type { AppState } from '../../state/app-state.svelte.ts'
import type { SpaceView } from '../../state/space-view.svelte.ts'
import type { Dialog, DialogKind } from '../../state/ui.svelte.ts'

/** What the component of a dialog is given. */
export interface DialogProps<K extends DialogKind> {
  readonly app: AppState
  readonly view: SpaceView
  /** What it was opened with. */
  readonly dialog: Dialog<K>
}
