import { describe, expect, it } from 'vitest'
import { withDeadline } from '../../../../src/api/http/deadline.ts'

const LONG_MS = 60_000
const stays = new AbortController().signal
const never = (): Promise<never> => new Promise(() => {})

describe('withDeadline', () => {
  it('gives what the work gives', async () => {
    expect(await withDeadline(stays, LONG_MS, async () => 'done')).toBe('done')
    await expect(
      withDeadline(stays, LONG_MS, () => Promise.reject(new Error('no'))),
    ).rejects.toThrow('no')
  })

  it('does not wait for work that ignores its signal', async () => {
    let seen: AbortSignal | undefined
    const late = withDeadline(stays, 1, (signal) => {
      seen = signal
      return never()
    })
    await expect(late).rejects.toMatchObject({ kind: 'unavailable', code: 'Unavailable' })
    expect(seen?.aborted).toBe(true)
  })

  it('ends when the client goes, or has gone before', async () => {
    const client = new AbortController()
    const left = withDeadline(client.signal, LONG_MS, never)
    client.abort()
    await expect(left).rejects.toThrow('The client is gone')
    await expect(withDeadline(client.signal, LONG_MS, never)).rejects.toThrow('The client is gone')
  })

  it('leaves no signal aborted behind work that was in time', async () => {
    const client = new AbortController()
    let seen: AbortSignal | undefined
    await withDeadline(client.signal, LONG_MS, async (signal) => {
      seen = signal
    })
    client.abort()
    expect(seen?.aborted).toBe(false)
  })
})
