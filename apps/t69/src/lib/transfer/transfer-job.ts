import { TransferError } from './transfer-error.ts'
import type { Answer, Answers, Request } from './worker-messages.ts'

/** A worker that reads or writes one file. */
export interface TransferJob {
  ask<T extends Request['type']>(request: Request & { readonly type: T }): Promise<Answers[T]>
  end(): void
}

/** With `signal`, ends when that is aborted: what is asked then rejects with its reason. */
export function startTransferJob(signal?: AbortSignal): TransferJob {
  const worker = new Worker(new URL('./transfer-worker.ts', import.meta.url), { type: 'module' })
  let answered = Promise.withResolvers<Answer>()
  worker.addEventListener('message', ({ data }: MessageEvent<Answer>) => answered.resolve(data))
  worker.addEventListener('error', (event) =>
    answered.reject(new Error(event.message || 'Importing a module script failed.')),
  )
  // Ended early, when nothing is asked.
  const end = (): void => worker.terminate()
  signal?.addEventListener('abort', () => {
    end()
    answered.promise.catch(() => {})
    answered.reject(signal.reason)
  })
  return {
    async ask<T extends Request['type']>(request: Request & { readonly type: T }) {
      signal?.throwIfAborted()
      answered = Promise.withResolvers()
      worker.postMessage(request)
      const answer = await answered.promise
      if (answer.ok) return answer.value as Answers[T]
      if ('problem' in answer) throw new TransferError(answer.problem, answer.file, answer.at)
      throw new Error(answer.message)
    },
    end,
  }
}
