/** In a process of its own: the priority of this one must not change. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const MODULE = fileURLToPath(
  new URL('../../../../src/host/processes/real-time.ts', import.meta.url),
)
const PROGRAM = `
  import { readFileSync } from 'node:fs'
  import { becomeRealTime } from ${JSON.stringify(MODULE)}
  const { isLocked } = becomeRealTime()
  for (let round = 0; round < 5; round++) {
    let all = Array.from({ length: 200_000 }, (_, n) => ({ text: 'n' + n }))
    all = null
    gc({ type: 'major', flavor: 'last-resort' })
    await new Promise((resume) => setImmediate(resume))
  }
  const locked = /VmLck:\\s+(\\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  console.log(JSON.stringify({ isLocked, kib: Number(locked) }))
`

it.runIf(process.getuid?.() === 0)(
  'locks the code of the process, whose memory can be given back all the same',
  () => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--expose-gc', '--input-type=module', '--eval', PROGRAM],
      { encoding: 'utf8', cwd: import.meta.dirname },
    )
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    const { isLocked, kib } = JSON.parse(stdout)
    expect(isLocked).toBe(true)
    expect(kib).toBeGreaterThan(1_000)
  },
)
