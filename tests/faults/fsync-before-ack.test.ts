import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, it } from 'vitest'

import { startServer } from '../lib/server-process.ts'
import { createFleet, live, roomyLimits } from './fleet.ts'

const canTrace = spawnSync('strace', ['-f', '-o', '/dev/null', 'true']).status === 0

interface Call {
  readonly name: string
  /** The file or socket of the call, as strace names it. */
  readonly on: string
  readonly text: string
}

/** The calls of a trace in the order in which they returned: a flush counts when it is done. */
function callsOf(trace: string): Call[] {
  const unfinished = new Map<string, string>()
  const calls: Call[] = []
  for (const line of trace.split('\n')) {
    const [, thread = '', rest = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? []
    if (rest.endsWith('<unfinished ...>')) {
      unfinished.set(thread, rest)
      continue
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)
    const text = resumed === null ? rest : `${unfinished.get(thread) ?? ''}${resumed[1] ?? ''}`
    const call = /^(\w+)\(\d+<(.*?)>/.exec(text)
    if (call !== null) calls.push({ name: call[1] ?? '', on: call[2] ?? '', text })
  }
  return calls
}

const isWrite = ({ name }: Call): boolean => /^(p?write|writev|pwrite64|sendto|sendmsg)$/.test(name)
const isFlush = ({ name }: Call): boolean => name === 'fsync' || name === 'fdatasync'

it.skipIf(!canTrace)(
  '[PU1] the server flushes a commit to the disk before it sends a byte of the ack (needs strace)',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 't69-trace-'))
    const traceFile = join(folder, 'trace')
    const calls = 'trace=fsync,fdatasync,write,writev,pwrite64,sendto,sendmsg'
    // With -D the server stays the child of this process, and the tracer is the grandchild.
    const through = ['strace', '-D', '-f', '-y', '-s', '200', '-e', calls, '-o', traceFile]
    try {
      await using server = await startServer({ env: roomyLimits, through })
      await using fleet = await createFleet(server.url)
      const client = await fleet.device()
      const other = await fleet.device()
      const space = await client.createSpace({ name: 'Traced' })
      await space.flushed()
      const watching = await other.openSpace(space.id)
      await live(watching)
      for (let edit = 0; edit < 20; edit++) {
        space.root.root?.newNamedChild(`edit ${edit}`)
        await space.flushed()
      }
      await server.stop()
      const traced = callsOf(await readFile(traceFile, 'utf8'))

      const isWal = (call: Call): boolean => call.on.endsWith(`${space.id}.db-wal`)
      // Messages about committed operations: the ack of a push, and an append to the others.
      const speaks = (call: Call): boolean =>
        isWrite(call) && call.on.startsWith('socket:') && /rejected|ops:appended/.test(call.text)
      let dirty = false
      let commits = 0
      let spoken = 0
      for (const call of traced) {
        if (isWal(call) && isWrite(call)) dirty = true
        if (isWal(call) && isFlush(call)) {
          if (dirty) commits++
          dirty = false
        }
        if (!speaks(call)) continue
        spoken++
        expect(dirty, `said before the flush: ${call.text}`).toBe(false)
      }
      expect(commits).toBeGreaterThanOrEqual(20)
      expect(spoken).toBeGreaterThanOrEqual(40)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
)

it.skipIf(!canTrace)(
  'the event loop makes no system call on the file of a space (needs strace)',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 't69-trace-'))
    const traceFile = join(folder, 'trace')
    const through = ['strace', '-D', '-f', '-y', '-e', 'trace=%file,%desc', '-o', traceFile]
    try {
      await using server = await startServer({ env: roomyLimits, through })
      await using fleet = await createFleet(server.url)
      const client = await fleet.device()
      const space = await client.createSpace({ name: 'Traced' })
      await space.flushed()
      for (let edit = 0; edit < 5; edit++) {
        space.root.root?.newNamedChild(`edit ${edit}`)
        await space.flushed()
      }
      const other = await fleet.device()
      await live(await other.openSpace(space.id))
      await client.deleteSpace(space.id)
      await server.stop()
      const lines = (await readFile(traceFile, 'utf8')).split('\n')
      const [eventLoop = ''] = lines[0]?.split(' ') ?? []
      const onFile = lines.filter((line) => line.includes(`${space.id}.d`))
      expect(onFile.length).toBeGreaterThan(50)
      expect(onFile.filter((line) => line.startsWith(`${eventLoop} `))).toEqual([])
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
)
