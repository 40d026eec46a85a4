/** `--help` of each script works without root, and installs nothing. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const ROOT = resolve(import.meta.dirname, '..')
const DEADLINE_MS = 60_000
const DIRECTORIES = ['scripts', 'vagrant', 'engines/galera', 'engines/rabbitmq']
const SCRIPTS = DIRECTORIES.flatMap((directory) =>
  readdirSync(join(ROOT, directory))
    .map((name) => `${directory}/${name}`)
    .filter((path) => {
      const file = statSync(join(ROOT, path))
      return file.isFile() && (file.mode & 0o111) !== 0
    }),
)
/** What is called with something behind it. */
const WITH_MORE = [
  ...['scripts/drill host-loss', 'scripts/drill all', 'scripts/drill neighbours api-globs'],
  ...['scripts/bench launch', 'scripts/bench all', 'scripts/lab up', 'scripts/lab exec h1'],
  ...['scripts/install --hosts 10.0.0.1', 'scripts/make-image FILE', 'scripts/test unit'],
]
/** What says so to whoever names nothing. */
const NEEDS_A_NAME = [
  ...['scripts/bench', 'scripts/drill', 'scripts/make-image', 'scripts/make-tiny-guest'],
  ...['scripts/make-box', 'scripts/engines-guard', 'vagrant/drill'],
]

let bin: string
/** A checkout whose packages are not installed. */
let bare: string

/** Runs a script where everything that installs, fetches or starts something fails loudly. */
function run(root: string, command: string, ...more: readonly string[]) {
  const [path = '', ...argv] = command.split(' ')
  return spawnSync(join(root, path), [...argv, ...more], {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${bin}:${process.env['PATH'] ?? ''}` },
    timeout: DEADLINE_MS,
  })
}

beforeAll(() => {
  bin = mkdtempSync(join(tmpdir(), 'atoll-help-'))
  const tools = ['apt-get', 'npm', 'node', 'curl', 'dpkg-query', 'docker', 'nft', 'vagrant']
  for (const tool of [...tools, 'mariadb', 'mariadbd', 'rabbitmqctl']) {
    writeFileSync(join(bin, tool), `#!/bin/sh\necho "${tool} was called" >&2\nexit 70\n`)
    chmodSync(join(bin, tool), 0o755)
  }
  bare = mkdtempSync(join(tmpdir(), 'atoll-bare-'))
  for (const part of ['bin', 'scripts', 'engines', 'tools', 'vagrant', 'src', 'package.json'])
    cpSync(join(ROOT, part), join(bare, part), { recursive: true })
})
afterAll(() => {
  for (const directory of [bin, bare]) rmSync(directory, { recursive: true, force: true })
})

it.each([...SCRIPTS, ...WITH_MORE])('%s --help says how it is used', (command) => {
  const { status, stdout, stderr } = run(bare, command, '--help')
  expect(stderr).toBe('')
  expect(stdout.length).toBeGreaterThan(20)
  expect(status).toBe(0)
})

it.each(NEEDS_A_NAME)('%s without a name says how it is used', (command) => {
  const { status, stderr } = run(bare, command)
  expect(stderr).toContain(`${command.split('/')[1]} `)
  expect(stderr).not.toContain('was called')
  expect(status).toBe(2)
})

describe('bin/atoll and bin/atolld', () => {
  const help = spawnSync(join(ROOT, 'bin/atoll'), ['--help'], { encoding: 'utf8' }).stdout
  const [, list = ''] = help.split('Commands:\n')
  const names = [...list.matchAll(/^ {2}([a-z]+)/gm)].map(([, name = '']) => name)
  const commands = names.filter((name) => name !== 'help')

  it('say without their packages what they are, and how these are installed', () => {
    expect(commands.length).toBeGreaterThan(10)
    const said = run(bare, 'bin/atoll', '--help')
    expect(said).toMatchObject({ status: 0, stderr: '' })
    for (const name of commands) expect(said.stdout).toMatch(new RegExp(`\\b${name}\\b`))
    expect(run(bare, 'bin/atolld', '--help').stdout).toContain('--print-config')
    for (const command of ['bin/atoll status', 'bin/atolld', 'bin/atoll']) {
      const { status, stderr } = run(bare, command)
      expect(stderr).toMatch(/^atolld?: there is no Node in .*scripts\/quickstart.*\n$/)
      expect(status).toBe(1)
    }
  })

  it.each(commands)('atoll %s --help says how it is used', (name) => {
    const { status, stdout, stderr } = run(ROOT, `bin/atoll ${name}`, '--help')
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toContain(`Usage: atoll ${name}`)
  })
})

it('an emulated machine of the Vagrant cluster keeps TLS between Galera nodes', () => {
  const script = 'ROOT=$0; . "$0/engines/lib-engines.sh"; galera_config_emulated 10.0.0.1'
  const { stdout } = spawnSync('bash', ['-euc', script, ROOT], { encoding: 'utf8' })
  expect(stdout).toContain('gmcast.listen_addr=ssl://10.0.0.1:4567')
  expect(stdout).toContain('socket.ssl=YES')
  expect(stdout).toContain('evs.suspect_timeout=PT20S')
  expect(stdout).not.toContain('tcp://')
})
