/**
 * What tests could leave on the machine: files, users, network objects, control groups, mounts and
 * processes. A run of all tests compares it before and after.
 */
import { execFile } from 'node:child_process'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { promisify } from 'node:util'

/** Where files with our name would be, other than the temporary directory of the run. */
const DIRECTORIES = [
  ...['/etc', '/opt', '/run', '/usr/local', '/var/cache', '/var/lib', '/var/log', '/var/tmp'],
  // What an instance or a virtual machine has as control group.
  '/sys/fs/cgroup',
]
const DEPTH = 6

/** One line for each thing, sorted. `ours` are directories that only this run uses. */
export async function machineState(ours: readonly string[]): Promise<readonly string[]> {
  const parts = await Promise.all([
    lines('file', 'find', [
      ...DIRECTORIES,
      ...['-maxdepth', `${DEPTH}`, '-name', '*atoll*', '-prune', '-print'],
    ]),
    lines('file', 'find', ['/etc', '/var/lib', '-mindepth', '1', '-maxdepth', '1', '-print']),
    lines('link', 'ip', ['-o', 'link'], (line) => line.split(/: |@/)[1] ?? line),
    lines('network namespace', 'ip', ['netns', 'list'], (line) => line.split(' ')[0] ?? line),
    lines('route', 'ip', ['route', 'show', 'table', 'all', 'proto', '167']),
    lines('rule', 'ip', ['rule']),
    lines('nft', 'nft', ['list', 'tables']),
    names('user', '/etc/passwd'),
    names('group', '/etc/group'),
    mounts(ours),
  ])
  // After the programs above have ended.
  parts.push(await processes(ours))
  return [...new Set(parts.flat())].toSorted()
}

/**
 * What is in one of the two only: `left` or `gone`, and what. Processes of others end by
 * themselves.
 */
export function stateDifferences(
  before: readonly string[],
  after: readonly string[],
): readonly string[] {
  const gone = before.filter((line) => !after.includes(line) && !line.startsWith('process '))
  return [
    ...after.filter((line) => !before.includes(line)).map((line) => `left ${line}`),
    ...gone.map((line) => `gone ${line}`),
  ]
}

/** The lines that a program prints. None if it is not there, or finds nothing. */
async function lines(
  kind: string,
  program: string,
  args: readonly string[],
  shown = (line: string): string => line,
): Promise<readonly string[]> {
  // find(1) fails for a directory that is not there, and says the rest.
  const { stdout } = await promisify(execFile)(program, [...args], { maxBuffer: 2 ** 26 }).catch(
    (error: unknown) => ({ stdout: '', ...(error as { readonly stdout?: string }) }),
  )
  const found = stdout.split('\n').filter((line) => line.trim() !== '')
  return found.map((line) => `${kind} ${shown(line.trim())}`)
}

/** The first field of each line. */
async function names(kind: string, file: string): Promise<readonly string[]> {
  const found = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '')
  return found.map((line) => `${kind} ${line.split(':')[0]}`)
}

async function mounts(ours: readonly string[]): Promise<readonly string[]> {
  const text = await readFile('/proc/self/mounts', 'utf8')
  const targets = text.split('\n').map((line) => line.split(' ')[1] ?? '')
  return targets
    .filter((target) => target.includes('atoll') || ours.some((one) => target.startsWith(one)))
    .map((target) => `mount ${target}`)
}

/**
 * Processes that work in one of these directories, run a program of it, name it, or were started
 * with it as their temporary directory; without this one and those that wait for it.
 */
async function processes(ours: readonly string[]): Promise<readonly string[]> {
  const waiting = await ancestors()
  const found: string[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || waiting.has(Number(name))) continue
    const of = (file: string) => readFile(`/proc/${name}/${file}`, 'utf8').catch(() => '')
    const link = (file: string) => readlink(`/proc/${name}/${file}`).catch(() => '')
    const command = (await of('cmdline')).replaceAll('\0', ' ').trim()
    // The kernel's own, and those that have just ended.
    if (command === '') continue
    const about = [command, await of('environ'), await link('cwd'), await link('exe')]
    if (ours.some((one) => about.some((text) => text.includes(one))))
      found.push(`process ${name} ${command.slice(0, 200)}`)
  }
  return found
}

/** This process and those above it. */
async function ancestors(): Promise<ReadonlySet<number>> {
  const found = new Set<number>()
  for (let pid = process.pid; pid > 0 && !found.has(pid); ) {
    found.add(pid)
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
    pid = Number(/^PPid:\t(\d+)$/m.exec(status)?.[1] ?? 0)
  }
  return found
}
