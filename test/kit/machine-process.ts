/**
 * A process that the daemon takes for a virtual machine: it has the name of one, and a QMP server
 * of the test answers for it. No guest runs.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/lib/clock.ts'
import { createMachineFiles, type MachineFilesystem } from '../../src/machines/files.ts'
import { createMonitors, type Monitors } from '../../src/machines/monitors.ts'
import type { InstanceId } from '../../src/model/ids.ts'
import { machineName, machineUser } from '../../src/model/names.ts'
import { silentLog } from '../../tools/kit/log.ts'

interface MachineProcess {
  readonly child: ChildProcess
  /** The commands that its monitor was given. */
  readonly commands: readonly string[]
  /** Resolves when it has ended. */
  readonly ended: Promise<void>
  end(): void
}

export interface MachineProcesses {
  readonly stateDir: string
  readonly runtimeDir: string
  readonly firstUser: number
  readonly files: MachineFilesystem
  readonly monitors: Monitors
  /**
   * Starts one. It ends at `system_powerdown` if it `obeys`; without a monitor it answers nothing.
   */
  start(how: { readonly obeys?: boolean; readonly monitor?: boolean }): Promise<MachineProcess>
  close(): Promise<void>
}

/** For one instance; its process is the caller's, because only root can give it another user. */
export async function createMachineProcesses(instance: InstanceId): Promise<MachineProcesses> {
  const stateDir = await mkdtemp(join(tmpdir(), 'atoll-machine-process-'))
  const runtimeDir = join(stateDir, 'run')
  const firstUser = (process.getuid?.() ?? 0) - machineUser(0, instance)
  const files = createMachineFiles(stateDir)
  const monitors = createMonitors({
    ...{ files, runtimeDir, firstUser },
    clock: systemClock,
    log: silentLog,
  })
  const closing: (() => void)[] = []
  return {
    ...{ stateDir, runtimeDir, firstUser, files, monitors },
    async start({ obeys = true, monitor = true }) {
      const { home } = files.paths(instance)
      await mkdir(home, { recursive: true })
      const child = spawn('sh', ['-c', 'read line', 'sh', '-name', machineName(home)])
      const end = () => void child.kill('SIGKILL')
      const commands: string[] = []
      const serve = (socket: Socket) => {
        socket.on('error', () => undefined)
        socket.write('{"QMP": {}}\n')
        child.once('exit', () => socket.destroy())
        socket.on('data', (bytes) => {
          for (const line of bytes.toString().trim().split('\n')) {
            const { id, execute } = JSON.parse(line)
            commands.push(execute)
            socket.write(`${JSON.stringify({ return: { status: 'running' }, id })}\n`)
            if (execute === 'system_powerdown' && obeys) end()
          }
        })
      }
      if (monitor) {
        await mkdir(monitors.sockets(instance).dir, { recursive: true })
        const server = createServer(serve).listen(monitors.sockets(instance).qmp)
        await once(server, 'listening')
        closing.push(() => server.close())
      }
      closing.push(end)
      const ended = once(child, 'exit').then(() => undefined)
      return { child, commands, ended, end }
    },
    async close() {
      monitors.close()
      for (const one of closing) one()
      await rm(stateDir, { recursive: true, force: true })
    },
  }
}
