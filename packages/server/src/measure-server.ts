import { statfs } from 'node:fs/promises'

import type { TcpConnections } from './http/tcp-connections.ts'
import type { OpenFiles } from './limits/open-files.ts'
import type { PrometheusMetrics } from './metrics/prometheus.ts'
import type { DataFiles } from './platform/data-files.ts'
import type { Platform } from './platform/platform.ts'
import type { Gateway } from './socket/gateway.ts'
import type { Spaces } from './spaces/spaces.ts'
import type { BoundedStorage } from './storage/bounded-storage.ts'

/** A space counts as near its quota from this part of it on. */
const nearQuota = 0.9

/** Adds the figures that are measured when they are asked for. */
export function measureServer(
  { gauge }: Pick<PrometheusMetrics, 'gauge'>,
  server: {
    readonly dataDir: string
    readonly openFiles: OpenFiles
    readonly platform: Pick<Platform, 'counts'>
    /** Unix milliseconds. */
    readonly now: () => number
    readonly gateway: Pick<Gateway, 'size' | 'requestsUnderWay'>
    readonly spaces: Pick<Spaces, 'size'>
    readonly openings: Pick<BoundedStorage, 'waiting'>
    readonly connections: Pick<TcpConnections, 'size'>
    readonly files: () => DataFiles
    readonly spaceQuotaBytes: number
    readonly checkCommits: () => Promise<void>
    /** Milliseconds, of a clock that nobody sets. */
    readonly monotonic: () => number
  },
): void {
  const { dataDir, openFiles, platform, gateway, spaces, openings, connections, files, monotonic } = server
  gauge('connections', 'Sockets that are connected', () => gateway.size)
  gauge('requests_under_way', 'Requests of sockets that are not answered yet', () => gateway.requestsUnderWay)
  gauge('tcp_connections', 'TCP connections that are open', () => connections.size)
  gauge('tcp_connections_limit', 'TCP connections that may be open', () => openFiles.connections)
  gauge('open_spaces', 'Spaces whose files are open', () => spaces.size)
  gauge('open_spaces_limit', 'Spaces whose files may be open', () => openFiles.spaces)
  gauge('spaces_waiting', 'Spaces that wait until another is closed', () => openings.waiting)

  const disk = () => statfs(dataDir)
  gauge('disk_free_bytes', 'Bytes that are free on the disk of the data', async () => {
    const { bavail, bsize } = await disk()
    return bavail * bsize
  })
  gauge('disk_bytes', 'Bytes of the disk of the data', async () => {
    const { blocks, bsize } = await disk()
    return blocks * bsize
  })
  gauge(
    'flush_seconds',
    'How long a file of 64 kB took to reach the disk; infinite if it did not',
    async () => {
      const begun = monotonic()
      try {
        await server.checkCommits()
        return (monotonic() - begun) / 1000
      } catch {
        return Infinity
      }
    },
  )

  const bytes = (sizes: readonly number[]) => sizes.reduce((sum, size) => sum + size, 0)
  const asideBytes = () => files().setAside.map((file) => file.bytes)
  gauge('space_files', 'Files of spaces', () => files().spaces.length)
  gauge('space_files_bytes', 'Bytes of the files of spaces', () => bytes(files().spaces))
  gauge(
    'spaces_near_quota',
    'Spaces whose file has nine tenths of its quota',
    () => files().spaces.filter((size) => size >= nearQuota * server.spaceQuotaBytes).length,
  )
  gauge('set_aside_files', 'Files that were set aside', () => files().setAside.length)
  gauge('set_aside_bytes', 'Bytes of the files that were set aside', () => bytes(asideBytes()))

  gauge('users', 'Accounts', () => platform.counts(server.now()).users)
  gauge('sessions', 'Sessions that have not ended', () => platform.counts(server.now()).sessions)
  gauge('expired_rows', 'Sessions and invites that are to be removed within the hour', () => {
    const { expiredSessions, expiredInvites } = platform.counts(server.now())
    return expiredSessions + expiredInvites
  })
}
