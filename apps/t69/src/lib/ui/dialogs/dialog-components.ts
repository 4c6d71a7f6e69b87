import type { Component } from 'svelte'

import type { DialogKind } from '../../state/ui.svelte.ts'
import AddressDialog from './AddressDialog.svelte'
import AssistantsDialog from './AssistantsDialog.svelte'
import AuthDialog from './AuthDialog.svelte'
import ConfirmAddressDialog from './ConfirmAddressDialog.svelte'
import ConfirmDialog from './ConfirmDialog.svelte'
import DeleteAccountDialog from './DeleteAccountDialog.svelte'
import DeletedDialog from './DeletedDialog.svelte'
import DevicesDialog from './DevicesDialog.svelte'
import type { DialogProps } from './dialog-props.ts'
import ForgottenPasswordDialog from './ForgottenPasswordDialog.svelte'
import InviteDialog from './InviteDialog.svelte'
import LostAccountDialog from './LostAccountDialog.svelte'
import ModelDialog from './ModelDialog.svelte'
import MoveDialog from './MoveDialog.svelte'
import NameDialog from './NameDialog.svelte'
import OtherSpaceDialog from './OtherSpaceDialog.svelte'
import PasskeysDialog from './PasskeysDialog.svelte'
import PasswordDialog from './PasswordDialog.svelte'
import SetPasswordDialog from './SetPasswordDialog.svelte'
import SettingsDialog from './settings/SettingsDialog.svelte'
import ShareDialog from './share/ShareDialog.svelte'
import SignOutDialog from './SignOutDialog.svelte'
import SyncDialog from './SyncDialog.svelte'
import CopyChatDialog from './transfer/CopyChatDialog.svelte'
import ExportDialog from './transfer/ExportDialog.svelte'
import ImportDialog from './transfer/ImportDialog.svelte'

/** The component of each dialog: a new kind does not compile until it has one that takes its fields. */
const components: { readonly [K in DialogKind]: Component<DialogProps<K>> } = {
  auth: AuthDialog,
  invite: InviteDialog,
  'sign-out': SignOutDialog,
  devices: DevicesDialog,
  password: PasswordDialog,
  passkeys: PasskeysDialog,
  'set-password': SetPasswordDialog,
  'forgotten-password': ForgottenPasswordDialog,
  address: AddressDialog,
  'confirm-address': ConfirmAddressDialog,
  'delete-account': DeleteAccountDialog,
  'lost-account': LostAccountDialog,
  name: NameDialog,
  confirm: ConfirmDialog,
  share: ShareDialog,
  settings: SettingsDialog,
  sync: SyncDialog,
  'other-space': OtherSpaceDialog,
  deleted: DeletedDialog,
  move: MoveDialog,
  model: ModelDialog,
  assistants: AssistantsDialog,
  'copy-chat': CopyChatDialog,
  import: ImportDialog,
  export: ExportDialog,
}

export function dialogComponent<K extends DialogKind>(kind: K): Component<DialogProps<K>> {
  return components[kind]
}
