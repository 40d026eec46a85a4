/** One ping process for one address, a probe every 2 ms: finds the moment of the first answer without starting programs. */
import { spawn } from 'node:child_process'

export interface Pinger {
  /** `performance.now()` at the first answer; the pinging ends with it. Rejects after `timeoutMs`. */
  firstAnswer(timeoutMs: number): Promise<number>
}

/** Starts pinging at once. Needs root for the short interval. */
export function startPinger(address: string): Pinger {
  const child = spawn('ping', ['-n', '-i', '0.002', '-W', '1', address], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return {
    firstAnswer: (timeoutMs) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          child.kill('SIGKILL')
          reject(new Error(`${address} did not answer within ${timeoutMs} ms`))
        }, timeoutMs)
        child.stdout.on('data', (chunk: Buffer) => {
          if (!chunk.includes('bytes from')) return
          resolve(performance.now())
          clearTimeout(timer)
          child.kill('SIGKILL')
        })
      }),
  }
}
