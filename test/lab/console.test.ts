/**
 * `atoll console`, as an operator uses it: on a terminal and in a pipe, with the real daemon, a
 * container and a virtual machine.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import {
  GetConsoleOutputCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { type Cloud, createCloud, execute } from '../../tools/kit/cloud.ts'
import { type InstanceCalls, instanceCalls } from '../../tools/kit/instance-calls.ts'
import { eventually, type Ran } from '../../tools/kit/netns.ts'
import { canRunMachines, placeTinyGuest } from '../../tools/kit/tiny-guest.ts'
import { startPty } from '../kit/pty.ts'

const ATOLL = resolve(import.meta.dirname, '../../bin/atoll')
/** An emulated guest on a busy machine. */
const DEADLINE_MS = 120_000
const DETACH = '\x1d'
const EXIT_REFUSED = 1

describe.skipIf(!canRunMachines())('atoll console', () => {
  let cloud: Cloud
  let ask: InstanceCalls
  let container: string
  let machine: string

  async function run(name: string, location: string): Promise<string> {
    const [id = ''] = await ask.launch(await ask.register(name, location))
    return id
  }
  const command = (id: string) => `${ATOLL} --config ${cloud.configFile} console ${id}`
  /** The same in a pipe. */
  async function pipe(id: string, typed: string): Promise<Ran> {
    const child = spawn(ATOLL, ['--config', cloud.configFile, 'console', id])
    const [out, err]: Buffer[][] = [[], []]
    child.stdout.on('data', (bytes: Buffer) => out?.push(bytes))
    child.stderr.on('data', (bytes: Buffer) => err?.push(bytes))
    child.stdin.end(typed)
    const [exitCode] = await once(child, 'close')
    const text = (pieces: Buffer[] = []) => Buffer.concat(pieces).toString()
    return { exitCode: Number(exitCode), stdout: text(out), stderr: text(err) }
  }
  /** Programs of consoles in the container, with their state. */
  async function programs(): Promise<string> {
    const marked = 'grep -l ATOLL_CONSOLE= /proc/[0-9]*/environ 2>/dev/null'
    const script = `for at in $(${marked}); do cat $(dirname $at)/stat; done`
    return (await cloud.inside(container, ['sh', '-c', script])).stdout
  }
  const untilNoShell = () => expect.poll(programs, { timeout: DEADLINE_MS }).toBe('')

  beforeAll(async () => {
    cloud = await createCloud('console', 'qemu: {accel: tcg, stopSeconds: 60}\n')
    ask = instanceCalls(cloud.ec2, DEADLINE_MS)
    const { location } = await placeTinyGuest(join(cloud.dir, 'state/images'))
    container = await run('sample', 'docker://atoll-sample:latest')
    machine = await run('tiny', location)
    for (const id of [container, machine]) await ask.untilState(id, 'running')
    const hasBooted = async () => {
      const asked = new GetConsoleOutputCommand({ InstanceId: machine, Latest: true })
      const { Output = '' } = await cloud.ec2.send(asked)
      return Buffer.from(Output, 'base64').toString().includes('tiny#')
    }
    await eventually('the machine has a shell on its console', hasBooted, DEADLINE_MS)
  }, 2 * DEADLINE_MS)
  afterAll(() => cloud?.destroy())

  it('is a shell in a container, of the size of the window, and leaves the terminal as it was', async () => {
    const terminal = await startPty(`stty -g; ${command(container)}; echo code=$?; stty -g`)
    const before = await terminal.until('\r\n')
    await terminal.until(`a shell in ${container} on console. Ctrl-] detaches.`)
    terminal.type('stty size; hostname\n')
    await terminal.until('30 90\r\n')
    await terminal.until(container)
    await terminal.resize(101, 41)
    const follows = async () => {
      terminal.type('echo "size" $(stty size) "shown"\n')
      return (await terminal.until('shown\r\n')).includes('size 41 101')
    }
    await eventually('the size follows', follows)
    terminal.type(`cat\n${DETACH}`)
    await terminal.until('atoll: detached\r\n')
    await terminal.until('code=0\r\n')
    expect(await terminal.until('\r\n')).toBe(before)
    expect(await terminal.ended()).toBe(0)
    await untilNoShell()
  })

  it('ends with the shell, whose exit code it takes', async () => {
    const terminal = await startPty(command(container))
    await terminal.until('detaches')
    terminal.type('exit 7\n')
    await terminal.until('atoll: the shell ended with code 7')
    expect(await terminal.ended()).toBe(7)
  })

  it('leaves no shell behind when the terminal is lost, and when the daemon is killed', async () => {
    const terminal = await startPty(command(container))
    await terminal.until('detaches')
    terminal.type('sleep 1000\n')
    terminal.cut()
    await untilNoShell()
    const another = await startPty(`${command(container)}; echo code=$?`)
    await another.until('detaches')
    await cloud.stop('SIGKILL')
    await another.until('the connection to the console was lost')
    await another.until(`code=${EXIT_REFUSED}`)
    await cloud.start()
    expect((await pipe(container, 'true\n')).exitCode).toBe(0)
    await untilNoShell()
    const third = await startPty(`${command(container)}; echo code=$?`)
    await third.until('detaches')
    await cloud.stop('SIGTERM')
    await third.until('atolld is stopping on that host; the instance keeps running')
    await third.until('code=0')
    await cloud.start()
    await untilNoShell()
  })

  it('leaves the terminal as it was when it is asked to end', async () => {
    const ended = `timeout --foreground -s TERM 5 ${command(container)}`
    const terminal = await startPty(`stty -g; ${ended}; echo code=$?; stty -g`)
    const before = await terminal.until('\r\n')
    await terminal.until('atoll: ended by a signal')
    await terminal.until('code=124\r\n')
    expect(await terminal.until('\r\n')).toBe(before)
    await untilNoShell()
  })

  it('ends when nobody reads what a pipe says', async () => {
    const { stdout } = await execute('sh', [
      '-c',
      `echo "echo y; yes" | ${command(container)} | head -c 4`,
    ])
    expect(stdout).toBe('y\ny\n')
    await untilNoShell()
  })

  it('runs what a pipe says, with nothing else in its output', async () => {
    const large = await pipe(container, 'hostname; head -c 3000000 /dev/zero; exit 3\n')
    expect(large.stdout.slice(0, container.length)).toBe(container)
    expect(large.stdout).toHaveLength(container.length + 1 + 3_000_000)
    expect(large).toMatchObject({ exitCode: 3, stderr: '' })
  })

  it('is the serial line of a machine, shared by all who attach', async () => {
    const [one, other] = [await startPty(command(machine)), await startPty(command(machine))]
    for (const terminal of [one, other])
      await terminal.until(`the serial line of ${machine} on console. Ctrl-] detaches.`)
    one.type('\necho "seen" by-all\n')
    for (const terminal of [one, other]) await terminal.until('seen by-all')
    one.type(DETACH)
    expect(await one.ended()).toBe(0)
    other.type('echo "still" there\n')
    await other.until('still there')
    other.type(DETACH)
    expect(await other.ended()).toBe(0)
    const { stdout, exitCode } = await pipe(machine, '\necho "pipe" works\n')
    expect(stdout).toContain('pipe works')
    expect(exitCode).toBe(0)
  })

  it('says what is wrong, and what to do', async () => {
    const { stderr, exitCode } = await cloud.atoll('console', 'i-00000000000000000')
    expect(stderr).toMatch(/'i-00000000000000000' does not exist; see: atoll instances/)
    expect(exitCode).toBe(EXIT_REFUSED)
    expect((await cloud.atoll('console', 'web')).stderr).toMatch(/"web" is not an instance id/)
    const head = ['-ski', '-o', '/dev/null', '-w', '%{http_code} %{size_download}']
    for (const [upgrade, ticket] of [
      ['websocket', 'Sec-WebSocket-Protocol: atoll.console.v1, ticket.AAAA'],
      ['atoll-console', 'atoll-ticket: AAAA'],
    ] as const) {
      const headers = ['Connection: Upgrade', `Upgrade: ${upgrade}`, ticket]
      const forged = headers.flatMap((header) => ['-H', header])
      const url = `${cloud.credentials.endpoint}/console`
      expect((await execute('curl', [...head, ...forged, url])).stdout).toBe('403 0')
    }
  })

  it('gives a ticket to other clients, such as a browser', async () => {
    const { stdout } = await cloud.atoll('console', container, '--ticket')
    const { url, protocols, expiresInSeconds } = JSON.parse(stdout)
    expect({ url, expiresInSeconds }).toEqual({
      url: expect.stringMatching(/^wss:\/\/[0-9.]+:\d+\/console$/),
      expiresInSeconds: 10,
    })
    const ca = await readFile(join(cloud.dir, 'tls/ca.crt')).catch(() => undefined)
    const socket = new WebSocket(url, protocols, ca === undefined ? {} : { ca })
    const shown: string[] = []
    socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) shown.push(data.toString())
    })
    await once(socket, 'open')
    socket.send(Buffer.from('hostname; exit 4\n'))
    const [code, reason] = await once(socket, 'close')
    expect(shown.join('')).toContain(container)
    expect([code, String(reason)]).toEqual([1000, 'the shell ended with code 4'])
  })

  it('ends when the instance is stopped, and is refused then', async () => {
    const sessions = [container, machine].map(async (id) => {
      const terminal = await startPty(command(id))
      await terminal.until('detaches')
      return terminal
    })
    const terminals = await Promise.all(sessions)
    await cloud.ec2.send(new StopInstancesCommand({ InstanceIds: [container, machine] }))
    for (const terminal of terminals) {
      await terminal.until('has stopped\r\n')
      expect(await terminal.ended()).toBe(0)
    }
    for (const id of [container, machine]) {
      await ask.untilState(id, 'stopped')
      const { stderr } = await cloud.atoll('console', id)
      expect(stderr).toContain(`start it with: aws ec2 start-instances --instance-ids ${id}`)
    }
    await cloud.ec2.send(new TerminateInstancesCommand({ InstanceIds: [container, machine] }))
    for (const id of [container, machine]) {
      await ask.untilState(id, 'terminated')
      expect((await cloud.atoll('console', id)).stderr).toContain(`${id} is terminated`)
    }
  })

  it('says what it said last, as EC2 does, of a terminated instance', async () => {
    for (const [id, words] of [
      [container, /./],
      [machine, /tiny#/],
    ] as const) {
      const { Output = '' } = await cloud.ec2.send(
        new GetConsoleOutputCommand({ InstanceId: id, Latest: true }),
      )
      expect(Buffer.from(Output, 'base64').toString()).toMatch(words)
    }
  })
})
