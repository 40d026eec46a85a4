/**
 * A root shell in a container for each attached client: the image's own shell, or that of the guest
 * kit if the image has none.
 *
 * The engine does not end such a program when its client disconnects. So the shell has a mark in
 * its environment, by which it is found and ended: when its client detaches or, if the daemon was
 * killed, when the next client attaches.
 */
import { readFile } from 'node:fs/promises'
import type Dockerode from 'dockerode'
import { processesOfSession } from '../host/processes/session.ts'
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
/** Exit code of a killed program. Its container may have ended with it. */
const KILLED = 137
/** How long the engine may take to start a shell that it has been asked for. */
const START_DEADLINE_MS = 10_000
/** How long a shell may take to end after SIGHUP. */
const HANGUP_DEADLINE_MS = 2_000
/** How long the engine may take to notice that a container has ended. */
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

/** No client is attached at first. */
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
    // A shell that has ended has no size.
    await exec.resize({ w: columns, h: rows }).catch(() => undefined)
  }
  if (isTerminal) await resize(screen.columns, screen.rows)
  return {
    kind: 'shell',
    // Without a terminal the engine separates the shell's two outputs. A client has only one.
    output: isTerminal ? stream : stream.pipe(createDemultiplexer()),
    input: stream,
    resize,
    end: () => endOf(engine, container, exec),
    async close() {
      stream.destroy()
      await hangUp(engine, exec, START_DEADLINE_MS)
      forget()
    },
  }
}

/** The shells of a daemon that was killed. */
async function endLeftBehind(
  engine: Engine,
  container: string,
  live: ReadonlySet<string>,
): Promise<void> {
  const seen: { readonly ExecIDs?: unknown } = await engine.docker.getContainer(container).inspect()
  const ids: readonly unknown[] = Array.isArray(seen.ExecIDs) ? seen.ExecIDs : []
  const left = ids.filter((id) => typeof id === 'string').filter((id) => !live.has(id))
  // One look at each: most are programs of others, and the client waits.
  await Promise.all(left.map((id) => hangUp(engine, engine.docker.getExec(id), 0)))
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
 * Ends a shell and the programs on its terminal with SIGHUP, like the loss of a terminal, and with
 * SIGKILL if they do not end. Waits up to `startMs` until the shell has started.
 */
async function hangUp({ clock }: Engine, exec: Dockerode.Exec, startMs: number): Promise<void> {
  const pid = await untilStarted(clock, exec, startMs)
  if (pid === null) return
  const giveUpMs = clock.monotonic() + HANGUP_DEADLINE_MS
  await hangUpSession(pid)
  while (clock.monotonic() < giveUpMs) {
    if ((await unended(exec)) === null) return
    await clock.sleep(LOOK_EVERY_MS)
  }
  if (await isOurs(pid)) signal(-pid, 'SIGKILL')
}

/**
 * The process of a shell, once it runs our program. Null when it has ended, or is not ours, or does
 * not start in time: the engine answers that it starts a program before it does so.
 */
async function untilStarted(
  clock: Clock,
  exec: Dockerode.Exec,
  startMs: number,
): Promise<number | null> {
  const giveUpMs = clock.monotonic() + startMs
  for (;;) {
    const seen = await unended(exec)
    if (seen === null) return null
    if (seen.Pid > 0 && (await isOurs(seen.Pid))) return seen.Pid
    if (clock.monotonic() >= giveUpMs) return null
    await clock.sleep(LOOK_EVERY_MS)
  }
}

/** What the engine says of a program; null when it has ended, or the engine has forgotten it. */
async function unended(exec: Dockerode.Exec): Promise<Dockerode.ExecInspectInfo | null> {
  const seen = await exec.inspect().catch(() => null)
  return seen?.ExitCode === null ? seen : null
}

/**
 * Whether a process has our mark: others may run programs in our containers as well, and process
 * ids are reused.
 */
async function isOurs(pid: number): Promise<boolean> {
  const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')
  return environment.split('\0').some((one) => one.startsWith(`${MARK}=`))
}

/**
 * SIGHUP to the group of a shell, and then to those programs of its session that are left. One
 * that the shell was just about to bring to the foreground is in no group that is signalled when it
 * ends.
 */
async function hangUpSession(pid: number): Promise<void> {
  signal(-pid, 'SIGHUP')
  for (const each of await processesOfSession(pid)) if (await isOurs(each)) signal(each, 'SIGHUP')
}

/** `pid` as kill(2) takes it: a negative one is a process group. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has already ended.
  }
}
