import { EventEmitter } from 'node:events'

import { describe, expect, it } from 'vitest'

import { writeOnceATurn, type WritingSocket } from './write-once-a-turn.ts'

/** Engine.IO, as far as it matters: packets gather, and are handed over at once while the transport is writable. */
function setUp({ polls = false } = {}) {
  const log: string[] = []
  const transport = Object.assign(new EventEmitter(), { writable: true })
  const conn: WritingSocket = Object.assign(new EventEmitter(), { transport })
  const stream = { cork: () => log.push('cork'), uncork: () => log.push('uncork') }
  const ends: (() => void)[] = []
  let gathered: string[] = []
  const flush = (): void => {
    if (!transport.writable || gathered.length === 0) return
    conn.emit('flush')
    transport.writable = false
    log.push(gathered.join(' '))
    gathered = []
    conn.emit('drain')
  }
  transport.on('ready', flush)
  writeOnceATurn(
    conn,
    () => (polls ? undefined : stream),
    (callback) => ends.push(callback),
  )
  return {
    log,
    transport,
    send: (packet: string) => {
      conn.emit('packetCreate', { data: packet })
      gathered.push(packet)
      flush()
    },
    endTurn: () => {
      for (const end of ends.splice(0)) end()
    },
    written: () => {
      transport.writable = true
      transport.emit('ready')
    },
  }
}

describe('what is sent in one turn', () => {
  it('leaves at its end, in one write', () => {
    const { log, send, endTurn, written } = setUp()
    for (const packet of ['json', 'bytes', 'more']) send(packet)
    expect(log).toEqual([])
    endTurn()
    expect(log).toEqual(['cork', 'json bytes more', 'uncork'])
    written()
    send('later')
    endTurn()
    expect(log.slice(3)).toEqual(['cork', 'later', 'uncork'])
  })

  it('waits for what is being written, as before', () => {
    const { log, send, endTurn, written } = setUp()
    send('first')
    endTurn()
    send('second')
    endTurn()
    expect(log).toEqual(['cork', 'first', 'uncork'])
    written()
    expect(log.slice(3)).toEqual(['cork', 'second', 'uncork'])
  })

  it('leaves at once where the client polls', () => {
    const { log, send } = setUp({ polls: true })
    send('first')
    expect(log).toEqual(['first'])
  })
})
