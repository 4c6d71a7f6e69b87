import { parentPort, workerData } from 'node:worker_threads'

import { openEdits } from './edits-file.ts'

/** Commits each edit that it is sent, and answers then. */
const keep = openEdits(String(workerData))
parentPort?.on('message', (edit) => {
  keep(edit)
  parentPort?.postMessage(undefined)
})
