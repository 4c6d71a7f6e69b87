import type { LucideIcon } from '@lucide/svelte'
import Cloud from '@lucide/svelte/icons/cloud'
import Columns2 from '@lucide/svelte/icons/columns-2'
import MessageSquare from '@lucide/svelte/icons/message-square'
import MonitorSmartphone from '@lucide/svelte/icons/monitor-smartphone'
import PanelLeft from '@lucide/svelte/icons/panel-left'
import Plus from '@lucide/svelte/icons/plus'
import RotateCcw from '@lucide/svelte/icons/rotate-ccw'
import Rows2 from '@lucide/svelte/icons/rows-2'
import Settings2 from '@lucide/svelte/icons/settings-2'
import TextSearch from '@lucide/svelte/icons/text-search'
import UserPlus from '@lucide/svelte/icons/user-plus'
import X from '@lucide/svelte/icons/x'

import { choicesTo } from '../../model/choices-to.ts'
import { chatsByActivity, chatTitle, titleOf } from '../../model/space-tree.ts'
import { createMatcher, fold } from '../../search/matcher.ts'
import type { SearchResults } from '../../search/search-results.ts'
import type { AppState } from '../../state/app-state.svelte.ts'
import type { SpaceView } from '../../state/space-view.svelte.ts'
import { splitAlong } from '../parts/split-along.ts'

/** What the palette offers. */
export interface Entry {
  readonly kind: 'chat' | 'message' | 'command' | 'space'
  /** Told apart by it. */
  readonly id: string
  readonly icon: LucideIcon
  readonly title: string
  /** Where the title fits what was typed: pairs of a start and an end. */
  readonly marks: readonly (readonly [number, number])[]
  /** The message that was found. */
  readonly excerpt?: string
  readonly excerptMarks?: readonly (readonly [number, number])[]
  /** When the message was written, in Unix ms. */
  readonly at?: number
  /** The name of its space, if another one is on screen. */
  readonly space?: string
  readonly run: () => Promise<void> | void
}

export interface Section {
  readonly name: string
  readonly entries: readonly Entry[]
}

/** How many chats are offered before anything is typed. */
const recentChats = 6

interface Shown {
  readonly app: AppState
  readonly view: SpaceView
  readonly query: string
  readonly results: SearchResults | null
}

/** The entries for what was typed: chats, messages, commands and spaces. */
export function sectionsFor({ app, view, query, results }: Shown): Section[] {
  const found = results === null || query.trim() === '' ? null : results
  const sections: Section[] = [
    { name: 'Chats', entries: found === null ? recent(app, view, query) : foundChats(app, view, found) },
    { name: 'Messages', entries: found === null ? [] : foundMessages(app, view, found) },
    { name: 'Commands', entries: matching(query, commands(app, view)) },
    { name: 'Spaces', entries: matching(query, otherSpaces(app, view)) },
  ]
  return sections.filter(({ entries }) => entries.length > 0)
}

function recent(app: AppState, view: SpaceView, query: string): Entry[] {
  if (query.trim() !== '') return []
  const current = view.chats.focused?.treeId
  return chatsByActivity(view.tree)
    .filter(({ treeId }) => treeId !== current)
    .slice(0, recentChats)
    .flatMap(({ id, treeId }) => {
      const vertex = view.tree.getVertex(id)
      if (vertex === undefined || treeId === null) return []
      const title = titleOf(vertex)
      return [{ kind: 'chat', id, icon: MessageSquare, title, marks: [], run: () => app.openChat(treeId) }]
    })
}

function foundChats(app: AppState, view: SpaceView, { chats }: SearchResults): Entry[] {
  return chats.map(({ spaceId, treeId, title, marks }) => ({
    kind: 'chat',
    id: treeId,
    icon: MessageSquare,
    title: chatTitle(title),
    marks,
    ...spaceName(app, view, spaceId),
    run: () => app.openSpace(spaceId, treeId),
  }))
}

function foundMessages(app: AppState, view: SpaceView, { messages }: SearchResults): Entry[] {
  return messages.map((hit) => ({
    kind: 'message',
    id: `${hit.treeId}/${hit.messageId}`,
    icon: TextSearch,
    title: chatTitle(hit.title),
    marks: [],
    excerpt: hit.excerpt,
    excerptMarks: hit.marks,
    at: hit.at,
    ...spaceName(app, view, hit.spaceId),
    async run() {
      await app.openSpace(hit.spaceId, hit.treeId)
      const { view } = app
      const chat = view?.chats.find(hit.treeId)
      if (!view || !chat) return
      // Perhaps it is another version of a message that is shown, or follows such a version.
      const choices = chat.tree === null ? [] : choicesTo(chat.tree, hit.messageId, view.chosen.ids)
      for (const { entry, id } of choices) view.chosen.choose(entry, id)
      chat.wantedMessage = hit.messageId
    },
  }))
}

function spaceName(app: AppState, view: SpaceView, spaceId: string): { readonly space?: string } {
  const name = spaceId === view.space.id ? undefined : app.spaces.find(({ id }) => id === spaceId)?.name
  return name === undefined ? {} : { space: name }
}

function command(id: string, icon: LucideIcon, title: string, run: () => Promise<void> | void): Entry {
  return { kind: 'command', id, icon, title, marks: [], run }
}

function commands(app: AppState, view: SpaceView): Entry[] {
  const { ui } = app
  return [
    ...(view.rights.edit ? [command('new-chat', Plus, 'New chat', () => app.newChat(null))] : []),
    command('settings', Settings2, 'Settings', () => ui.openDialog({ kind: 'settings' })),
    ...(view.isMember && view.status.phase !== 'blocked'
      ? [command('share', UserPlus, 'Share this space', () => ui.openDialog({ kind: 'share' }))]
      : []),
    ...(view.rights.edit
      ? [command('deleted', RotateCcw, 'Recently deleted', () => ui.openDialog({ kind: 'deleted' }))]
      : []),
    ...splitCommands(app, view),
    command('sidebar', PanelLeft, 'Open or close the sidebar', () => ui.toggleSidebar()),
    command('new-space', Plus, 'New space', () =>
      ui.openDialog({
        kind: 'name',
        title: 'New space',
        value: '',
        action: 'Create',
        done: (name) => app.createSpace(name),
      }),
    ),
  ]
}

function splitCommands(app: AppState, { chats: { panes } }: SpaceView): Entry[] {
  return [
    ...(panes.canSplit
      ? [
          command('split-end', Columns2, splitAlong(), () => app.arrange(() => panes.splitFocused('end'))),
          command('split-down', Rows2, 'Split down', () => app.arrange(() => panes.splitFocused('bottom'))),
        ]
      : []),
    ...(panes.isSplit
      ? [
          command('close-split', X, 'Close this side', () =>
            app.arrange(() => panes.closePane(panes.focused.id)),
          ),
        ]
      : []),
  ]
}

function otherSpaces(app: AppState, view: SpaceView): Entry[] {
  return app.openable
    .filter(({ id }) => id !== view.space.id)
    .map(({ id, name, synced }) => ({
      kind: 'space',
      id,
      icon: synced ? Cloud : MonitorSmartphone,
      title: name,
      marks: [],
      run: () => app.openSpace(id),
    }))
}

/** Those whose title fits; all of them while nothing is typed. */
function matching(query: string, entries: readonly Entry[]): Entry[] {
  const matcher = createMatcher(query)
  if (query.trim() === '') return [...entries]
  if (matcher.isEmpty) return []
  const folded = entries.map(({ title }) => fold(title))
  return matcher.filter(folded).flatMap((index) => {
    const entry = entries[index]
    return entry === undefined ? [] : [{ ...entry, marks: matcher.rangesIn(folded[index] ?? '') }]
  })
}
