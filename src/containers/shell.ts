/**
 * A shell of root's in a container, for whoever attaches: the image's own, or that of our guest kit
 * where the image has none.
 *
 * The engine leaves a program that it was asked to run alone when whoever asked is gone. So the
 * shell carries a mark, and by it is hung up on: when whoever attached leaves, and, for those whom
 * a daemon that was killed left behind, when the next attaches.
 */
import { readFile } from 'node:fs/promises'
import type Dockerode from 'dockerode'
import type { Clock } from '../lib/clock.ts'
import type { Screen, Terminal, TerminalEnd } from '../lib/terminal.ts'
import type { InstanceId } from '../model/ids.ts'
import { notRunning } from '../workloads/driver.ts'
import { dockerError, statusOf } from './errors.ts'
import { GUEST_KIT_MOUNT } from './guest-kit.ts'
import { createDemultiplexer } from './logs.ts'

const NOT_FOUND = 404
const NOT_RUNNING = 409
/** In the environment of every shell of ours. */
const MARK = 'ATOLL_CONSOLE'
/** The exit code of a program that was killed: its container may have ended with it. */
const KILLED = 137
/** How long a shell that was hung up on may take to end. */
const HANGUP_DEADLINE_MS = 2_000
/** How long the engine may take to notice that a container whose programs were killed has ended. */
const STOP_DEADLINE_MS = 2_000
const LOOK_EVERY_MS = 50

const SHELL = `for shell in /bin/bash /bin/sh; do [ -x $shell ] && exec $shell; done; exec ${GUEST_KIT_MOUNT}/busybox sh`

interface Engine {
  readonly docker: Dockerode
  readonly clock: Clock
}

/** The shells of one driver. */
export interface Shells {
  /**
   * Starts a shell in a container. Errors: `refused` when the container does not run,
   * `unavailable`.
   */
  attach(instance: InstanceId, container: string, screen: Screen | null): Promise<Terminal>
}

/** Nobody is attached. */
export function createShells(engine: Engine): Shells {
  const live = new Set<string>()
  return {
    async attach(instance, container, screen) {
      try {
        await endLeftBehind(engine, container, live)
        const exec = await engine.docker.getContainer(container).exec(shellFor(screen))
        live.add(exec.id)
        return await start(engine, container, exec, screen, () => live.delete(exec.id))
      } catch (error) {
        if (statusOf(error) === NOT_RUNNING) throw notRunning(instance)
        throw dockerError(error, `open a shell in ${instance}`)
      }
    },
  }
}

function shellFor(screen: Screen | null): Dockerode.ExecCreateOptions {
  return {
    Cmd: [`${GUEST_KIT_MOUNT}/busybox`, 'sh', '-c', SHELL],
    Env: [`${MARK}=1`, ...(screen === null ? [] : [`TERM=${screen.term}`])],
    User: '0',
    Tty: screen !== null,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
  }
}

async function start(
  engine: Engine,
  container: string,
  exec: Dockerode.Exec,
  screen: Screen | null,
  forget: () => void,
): Promise<Terminal> {
  const isTerminal = screen !== null
  const stream = await exec.start({ hijack: true, stdin: true, Tty: isTerminal })
  stream.on('error', () => undefined)
  const resize = async (columns: number, rows: number) => {
    // One that has ended has no size.
    await exec.resize({ w: columns, h: rows }).catch(() => undefined)
  }
  if (isTerminal) await resize(screen.columns, screen.rows)
  return {
    kind: 'shell',
    // Without a terminal the engine tells the shell's two outputs apart; whoever attached has one.
    output: isTerminal ? stream : stream.pipe(createDemultiplexer()),
    input: stream,
    resize,
    end: () => endOf(engine, container, exec),
    async close() {
      stream.destroy()
      await hangUp(engine, exec)
      forget()
    },
  }
}

/** Those of a daemon that was killed. */
async function endLeftBehind(
  engine: Engine,
  container: string,
  live: ReadonlySet<string>,
): Promise<void> {
  const seen: { readonly ExecIDs?: unknown } = await engine.docker.getContainer(container).inspect()
  const ids: readonly unknown[] = Array.isArray(seen.ExecIDs) ? seen.ExecIDs : []
  const left = ids.filter((id) => typeof id === 'string').filter((id) => !live.has(id))
  await Promise.all(left.map((id) => hangUp(engine, engine.docker.getExec(id))))
}

async function endOf(
  { docker, clock }: Engine,
  container: string,
  exec: Dockerode.Exec,
): Promise<TerminalEnd> {
  const exitCode = (await exec.inspect().catch(() => null))?.ExitCode ?? KILLED
  if (exitCode !== KILLED) return { exitCode, reason: `the shell ended with code ${exitCode}` }
  const giveUpMs = clock.monotonic() + STOP_DEADLINE_MS
  while (clock.monotonic() < giveUpMs) {
    if (!(await isRunning(docker, container))) return STOPPED
    await clock.sleep(LOOK_EVERY_MS)
  }
  return { exitCode, reason: 'the shell was killed' }
}

const STOPPED: TerminalEnd = { exitCode: null, reason: 'the instance has stopped' }

async function isRunning(docker: Dockerode, container: string): Promise<boolean> {
  try {
    return (await docker.getContainer(container).inspect()).State.Running
  } catch (error) {
    return statusOf(error) !== NOT_FOUND
  }
}

/**
 * Ends a shell and what runs in its foreground, as the loss of a terminal's line does, and less
 * kindly what does not listen.
 */
async function hangUp({ clock }: Engine, exec: Dockerode.Exec): Promise<void> {
  const pid = await pidOf(exec)
  if (pid === null || !(await isOurs(pid))) return
  const giveUpMs = clock.monotonic() + HANGUP_DEADLINE_MS
  signal(pid, 'SIGHUP')
  while (clock.monotonic() < giveUpMs) {
    if ((await pidOf(exec)) === null) return
    await clock.sleep(LOOK_EVERY_MS)
  }
  if (await isOurs(pid)) signal(pid, 'SIGKILL')
}

async function pidOf(exec: Dockerode.Exec): Promise<number | null> {
  const seen = await exec.inspect().catch(() => null)
  return seen?.Running === true && seen.Pid > 0 ? seen.Pid : null
}

/**
 * Whether a process carries our mark: others may run programs in our containers, too, and numbers
 * are given anew.
 */
async function isOurs(pid: number): Promise<boolean> {
  const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')
  return environment.split('\0').some((one) => one.startsWith(`${MARK}=`))
}

/** To the shell and its group. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(-pid, name)
  } catch {
    // It has ended by itself.
  }
}
