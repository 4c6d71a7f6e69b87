import { expect, it } from 'vitest'

import { accessIdNumber, identityNumber, logIdNumber, MachineWorld } from './testing/machine-world.ts'

/** A device that has synced a space with one edit. */
function synced(): MachineWorld {
  const world = new MachineWorld()
  world.edit()
  world.settle()
  return world
}

/** Replaces the space on the server by another one of the same id, with a log of its own. */
function takeOver(world: MachineWorld): void {
  world.disconnect()
  world.identity = identityNumber(2)
  world.logId = logIdNumber(99)
  world.log = []
}

/** Nothing of the device's has reached the server, and the machine says why. */
function expectBlocked(world: MachineWorld): void {
  expect(world.machine.blocked?.code).toBe('other_space')
  expect(world.machine.link).toBe('up')
  expect(world.log).toEqual([])
}

it('[SI3] nothing is sent to another space of the id, and the stored identity stays', () => {
  const world = synced()
  takeOver(world)
  world.edit()
  world.settle()
  expectBlocked(world)
  expect(world.saved.identity).toBe(identityNumber(1))
  world.disconnect()
  world.settle()
  expectBlocked(world)
})

it('[SI3] a space that was stored before there were identities takes that of its own log', () => {
  const world = synced()
  world.saved = { ...world.saved, identity: null }
  world.reload()
  world.edit()
  world.settle()
  expect(world.saved.identity).toBe(identityNumber(1))
  expect(world.log).toHaveLength(2)
})

it('[SI3] a space that was stored before there were identities takes none from another log, and leaves the room', () => {
  const world = synced()
  world.saved = { ...world.saved, identity: null }
  world.reload()
  takeOver(world)
  world.settle()
  expectBlocked(world)
  expect(world.left).toBe(1)
  expect(world.saved.identity).toBeNull()
})

it('[SI3] a space without a log takes the identity of its first join only while it holds no operation', () => {
  const world = new MachineWorld()
  world.saved = { ...world.saved, identity: null }
  world.reload({ isBare: true })
  world.settle()
  expect(world.saved.identity).toBe(identityNumber(1))

  const edited = new MachineWorld()
  edited.saved = { ...edited.saved, identity: null }
  edited.reload({ isBare: true })
  edited.edit()
  edited.settle()
  expectBlocked(edited)
})

it('[SI4] a space that was created here takes the identity of its registration, and no other', () => {
  const world = new MachineWorld(false)
  world.edit()
  world.settle()
  expect(world.saved.identity).toBe(identityNumber(1))
  expect(world.log).toHaveLength(1)

  const late = new MachineWorld(false)
  late.edit()
  late.connect()
  late.serve()
  late.deliver()
  takeOver(late)
  late.settle()
  expectBlocked(late)
})

it('[SI4] a space whose id somebody else has registered is another space', () => {
  const world = new MachineWorld(false)
  world.edit()
  world.connect()
  world.serve({ code: 'already_exists', message: 'taken' })
  world.deliver()
  expectBlocked(world)
  expect(world.saved.identity).toBeNull()
})

it('[SI5] a seal is stored before anything that comes after it', () => {
  const world = synced()
  world.changeMembers()
  world.editElsewhere()
  world.deliver()
  world.deliver()
  expect(world.writes).toMatchObject([{ kind: 'keep-seal', seal: { accessId: accessIdNumber(2) } }])
  world.finishWrite({ code: 'storage_failed', message: 'full' })
  expect(world.writes).toEqual([])
  world.send({ type: 'retry' })
  expect(world.writes).toMatchObject([{ kind: 'keep-seal' }])
  world.finishWrite()
  expect(world.writes).toMatchObject([{ kind: 'append' }])
  world.settle()
  expect(world.seal).toEqual({
    accessId: accessIdNumber(2),
    seal: `the members at ${accessIdNumber(2)}`,
    role: 'editor',
  })
})

it('[SI5] a seal that comes while the space is not joined is left to the next join', () => {
  const world = synced()
  world.wire.push({ type: 'closed', reason: 'unavailable' })
  world.deliver()
  world.changeMembers()
  world.deliver()
  expect(world.seal?.accessId).toBe(accessIdNumber(1))
  world.settle()
  expect(world.seal?.accessId).toBe(accessIdNumber(2))
})

it('[SI7] a server that lacks a change of the members is shown the seal before the space is joined', () => {
  const world = synced()
  world.changeMembers()
  world.settle()
  world.disconnect()
  world.accessIds = [accessIdNumber(1)]
  world.edit()
  world.connect()
  world.serve()
  world.deliver()
  expect(world.request).toMatchObject({ kind: 'register', seal: { accessId: accessIdNumber(2) } })
  expect(world.log).toHaveLength(1)
  world.settle()
  expect(world.accessIds).toContain(accessIdNumber(2))
  expect(world.log).toHaveLength(2)
})

it('[SI7] a seal that the server cannot read is forgotten, and the space joined without it', () => {
  const world = synced()
  world.changeMembers()
  world.settle()
  world.disconnect()
  world.accessIds = [accessIdNumber(1)]
  world.readsSeals = false
  world.edit()
  world.settle()
  expect(world.log).toHaveLength(2)
  expect(world.seal?.accessId).toBe(accessIdNumber(1))
})

it('[SI7] a server that asks for a seal that it has just been shown is asked again later', () => {
  const world = synced()
  world.disconnect()
  world.connect()
  const refusal = { code: 'access_behind', message: 'behind' } as const
  world.serve(refusal)
  world.deliver()
  world.serve()
  world.deliver()
  world.serve(refusal)
  world.deliver()
  expect(world.machine.pause).toEqual(refusal)
  expect(world.request).toBeNull()
  world.edit()
  world.settle()
  expect(world.log).toHaveLength(2)
})

it('[SI10] an owner registers a space that the server has lost, once for each connection', () => {
  const world = new MachineWorld()
  world.role = 'owner'
  world.edit()
  world.settle()
  world.disconnect()
  world.isKnown = false
  world.settle()
  expect(world.machine.caughtUp).toBe(true)

  world.disconnect()
  world.isKnown = false
  world.connect()
  world.serve()
  world.deliver()
  expect(world.request?.kind).toBe('register')
  world.serve({ code: 'already_exists', message: 'deleted' })
  world.deliver()
  expect(world.machine.blocked?.code).toBe('not_found')
  expect(world.request).toBeNull()
})

it('[SI10] whoever does not own a space leaves it to its owners to register it again', () => {
  const world = synced()
  world.disconnect()
  world.isKnown = false
  world.connect()
  world.serve()
  world.deliver()
  expect(world.request).toBeNull()
  expect(world.machine.blocked?.code).toBe('not_found')
})

it('[SI10] a member of a space that the server has lost asks again from time to time, and says so meanwhile', () => {
  const world = synced()
  world.disconnect()
  world.isKnown = false
  world.connect()
  world.serve()
  world.deliver()
  expect(world.retries).toBe(1)
  world.send({ type: 'retry' })
  expect(world.request?.kind).toBe('join')
  expect(world.machine.blocked?.code).toBe('not_found')
  world.serve()
  world.deliver()
  expect(world.retries).toBe(2)
  world.isKnown = true
  world.edit()
  world.send({ type: 'retry' })
  world.settle()
  expect(world.machine.blocked).toBeNull()
  expect(world.log).toHaveLength(2)
})

it('[SI10] a role that has changed is kept with the seal', () => {
  const world = synced()
  world.role = 'owner'
  world.wire.push({ type: 'closed', reason: 'changed' })
  world.settle()
  expect(world.seal).toMatchObject({ accessId: accessIdNumber(1), role: 'owner' })
})

it('[SI3] the copy goes to the other space when the user says so, and the old seal is forgotten', () => {
  const world = synced()
  world.edit()
  world.settle()
  takeOver(world)
  world.editElsewhere()
  world.settle()
  expect(world.machine.blocked?.code).toBe('other_space')
  world.send({ type: 'chosen', identity: world.identity })
  world.settle()
  expect(world.saved.identity).toBe(identityNumber(2))
  expect(world.machine.blocked).toBeNull()
  expect(world.log).toHaveLength(3)
})

it('[SI3] what the user has said holds while the connection breaks or the disk is full', () => {
  const blocked = (): MachineWorld => {
    const world = synced()
    takeOver(world)
    world.settle()
    expectBlocked(world)
    world.send({ type: 'chosen', identity: world.identity })
    expect(world.writes).toMatchObject([{ kind: 'keep-seal', seal: null }])
    return world
  }
  const lost = blocked()
  lost.disconnect()
  lost.finishWrite()
  const full = blocked()
  full.finishWrite()
  expect(full.writes).toMatchObject([{ kind: 'adopt-log' }])
  full.finishWrite({ code: 'storage_failed', message: 'full' })
  for (const world of [lost, full]) {
    world.settle()
    expect(world.saved.identity).toBe(identityNumber(2))
    expect(world.machine.blocked).toBeNull()
    expect(world.log).toHaveLength(1)
  }
})
