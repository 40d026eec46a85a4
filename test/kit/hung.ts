/**
 * For tests of things that hang: a program that stops when asked to, processes by their command
 * line, what health says.
 */
import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Cloud, execute } from '../../tools/kit/cloud.ts'

/** Programs of a PATH of its own, each of which can be made to hang. */
export interface HangingPrograms {
  readonly path: string
  /** From now on it stops as soon as it is started. */
  hang(program: string): Promise<void>
  goOn(program: string): Promise<void>
}

/** Puts these programs into a directory of the cloud, before the PATH of all. */
export async function hangingPrograms(
  { dir }: Pick<Cloud, 'dir'>,
  programs: readonly string[],
): Promise<HangingPrograms> {
  const [bin, flags] = [join(dir, 'bin'), join(dir, 'flags')]
  await mkdir(bin)
  await mkdir(flags)
  for (const program of programs) {
    const real = (await execute('sh', ['-c', `command -v ${program}`])).stdout.trim()
    const script = `#!/bin/sh\n[ ! -e ${flags}/${program} ] || kill -STOP $$\nexec ${real} "$@"\n`
    await writeFile(join(bin, program), script)
    await chmod(join(bin, program), 0o755)
  }
  return {
    path: `${bin}:${process.env['PATH']}`,
    hang: (program) => writeFile(join(flags, program), ''),
    goOn: (program) => rm(join(flags, program)),
  }
}

/** Processes whose command line, its words parted by spaces, is one of those that are meant. */
export async function processesLike(
  meant: (commandLine: string) => boolean,
): Promise<readonly number[]> {
  const found: number[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue
    const line = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')
    if (meant(line.replaceAll('\0', ' '))) found.push(Number(name))
  }
  return found
}

/** What `/healthz` says is unhealthy, `name: value` each; throws when it says nothing in time. */
export async function healthProblems(): Promise<readonly string[]> {
  const answer = await fetch('http://127.0.0.1:9773/healthz', {
    signal: AbortSignal.timeout(10_000),
  })
  const { conditions } = (await answer.json()) as {
    conditions: readonly { readonly name: string; readonly ok: boolean; readonly value: string }[]
  }
  return conditions.filter(({ ok }) => !ok).map(({ name, value }) => `${name}: ${value}`)
}

/** The result of `work`; throws `what` when it takes longer. */
export async function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  const late = new AbortController()
  const tooLate = delay(ms, undefined, { signal: late.signal }).then(() => {
    throw new Error(`${what} took more than ${ms} ms`)
  })
  try {
    return await Promise.race([work, tooLate])
  } finally {
    late.abort()
    tooLate.catch(() => undefined)
  }
}
