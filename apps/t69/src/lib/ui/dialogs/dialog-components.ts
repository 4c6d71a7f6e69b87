import type { Component } from 'svelte'

import type { DialogKind } from '../../state/ui.svelte.ts'
import AuthDialog from './AuthDialog.svelte'
import ConfirmDialog from './ConfirmDialog.svelte'
import DeleteAccountDialog from './DeleteAccountDialog.svelte'
import DeletedDialog from './DeletedDialog.svelte'
import type { DialogProps } from './dialog-props.ts'
import MoveDialog from './MoveDialog.svelte'
import NameDialog from './NameDialog.svelte'
import PasswordDialog from './PasswordDialog.svelte'
import SettingsDialog from './settings/SettingsDialog.svelte'
import ShareDialog from './share/ShareDialog.svelte'
import SyncDialog from './SyncDialog.svelte'

/** The component of each dialog: a new kind does not compile until it has one that takes its fields. */
const components: { readonly [K in DialogKind]: Component<DialogProps<K>> } = {
  auth: AuthDialog,
  password: PasswordDialog,
  'delete-account': DeleteAccountDialog,
  name: NameDialog,
  confirm: ConfirmDialog,
  share: ShareDialog,
  settings: SettingsDialog,
  sync: SyncDialog,
  deleted: DeletedDialog,
  move: MoveDialog,
}

export function dialogComponent<K extends DialogKind>(kind: K): Component<DialogProps<K>> {
  return components[kind]
}
