/** Shells of consoles in containers end with their client, whatever the engine and they are at. */
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Screen, Terminal } from '../../src/lib/terminal.ts'
import type { InstanceWant } from '../../src/model/want.ts'
import { canRunDocker } from '../../tools/kit/docker.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { type DockerMachine, startDockerMachine } from '../kit/workloads.ts'

const DEADLINE_MS = 60_000
const SETUP_MS = 180_000
const SCREEN = { term: 'dumb', columns: 80, rows: 25 }

describe.skipIf(!canRunDocker())('shells in containers', { timeout: SETUP_MS }, () => {
  let machine: DockerMachine
  let want: InstanceWant
  beforeAll(async () => {
    machine = await startDockerMachine()
    want = await machine.prepare(2, 'docker://atoll-sample:static')
    const found = await machine.settle(want.image)
    if (found.kind !== 'ready') throw new Error(`${want.image.location} is ${found.kind}`)
    await machine.freshDriver().launch(want, found.digest, AbortSignal.timeout(SETUP_MS))
  }, SETUP_MS)
  afterAll(() => machine?.close(), SETUP_MS)

  /** Programs with the mark of consoles, by their arguments. */
  async function programs(): Promise<readonly string[]> {
    const marked = 'grep -l ATOLL_CONSOLE= /proc/[0-9]*/environ 2>/dev/null'
    const script = `for at in $(${marked}); do tr "\\0" " " <$(dirname $at)/cmdline; echo; done`
    const said = await machine.inside(want, script)
    return said
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
      .sort()
  }
  const none = () => expect.poll(programs, { timeout: DEADLINE_MS }).toEqual([])
  async function attach(screen: Screen | null): Promise<Terminal> {
    const terminal = await machine.freshDriver().attach(want.id, screen)
    if (terminal === null) throw new Error('a container has a shell')
    return terminal
  }

  it('one that the engine has not started yet, when its client goes', async () => {
    const containerd = Number(
      await readFile(join(dirname(machine.engine.socketPath), 'exec/containerd/containerd.pid')),
    )
    process.kill(containerd, 'SIGSTOP')
    onTestFinished(() => void process.kill(containerd, 'SIGCONT'))
    const terminal = await attach(null)
    await new Promise((resolve) => terminal.input.write('sleep 1000\n', resolve))
    const closed = terminal.close()
    process.kill(containerd, 'SIGCONT')
    await closed
    await none()
  })

  it('what runs in it, in the foreground and behind, but for what is to outlive it', async () => {
    const terminal = await attach(SCREEN)
    let shown = ''
    terminal.output.on('data', (bytes: Buffer) => {
      shown += bytes.toString()
    })
    terminal.input.write(
      '(trap "" HUP; exec sleep 1111) &\nsleep 2222 &\necho "be""gun"\nsleep 3333\n',
    )
    const isShown = () => shown.includes('begun')
    await eventually('it is typed', isShown, DEADLINE_MS)
    const runs = async () => (await programs()).some((line) => line.endsWith('sleep 3333'))
    await eventually('all run', runs, DEADLINE_MS)
    await terminal.close()
    await expect
      .poll(programs, { timeout: DEADLINE_MS })
      .toEqual([expect.stringMatching(/sleep 1111$/)])
    await machine.inside(want, 'kill $(pidof sleep)')
    await none()
  })
})
