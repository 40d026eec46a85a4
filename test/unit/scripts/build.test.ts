/** The programs that bin/ runs: whole, the same bytes each time, and never of other sources. */
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { once } from 'node:events'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { build as bundle } from 'esbuild'
import { afterAll, beforeAll, expect, it } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../../..')
const TIMEOUT_MS = 120_000
/** A message that ws would unmask with an addon, if there were one. */
const WEBSOCKET = `
const { WebSocketServer } = require(process.argv[1])
const server = new WebSocketServer({ port: 0 }, () => {
  const client = new WebSocket('ws://127.0.0.1:' + server.address().port)
  client.onopen = () => client.send('x'.repeat(100))
})
server.on('connection', (socket) => socket.on('message', (data) => {
  console.log(String(data))
  process.exit()
}))`
const UNUSED = [
  ...['ssh2', '@grpc', 'protobufjs', 'ajv', 'mysql2', 'amqplib', '@aws-sdk'],
  ...['@opentelemetry', 'thread-stream', 'prom-client/lib/pushgateway.js'],
]
let directory: string
let checkout: string

/** A small checkout in place of the whole one, with the real build. */
function makeCheckout(path: string): void {
  mkdirSync(join(path, 'src/consoles'), { recursive: true })
  for (const script of [
    'containers/guest-entry.sh',
    'host/files/shared-directory.sh',
    'host/files/shared-place.sh',
    'host/processes/api-cell.sh',
    'host/processes/cell.sh',
    'host/processes/console-trimmer.sh',
  ])
    cpSync(join(ROOT, 'src', script), join(path, 'src', script))
  writeFileSync(join(path, 'src/main.ts'), "console.log('one' as string)\n")
  writeFileSync(join(path, 'src/cli.ts'), 'console.log(import.meta.filename)\n')
  mkdirSync(join(path, 'src/parts'))
  for (const name of [
    ...['api-main.ts', 'consoles/serial-relay.ts', 'daemon-process.ts', 'parts/fence-main.ts'],
    'parts/services-main.ts',
  ])
    writeFileSync(join(path, 'src', name), 'export {}\n')
  for (const name of ['package.json', 'package-lock.json', 'bin'])
    cpSync(join(ROOT, name), join(path, name), { recursive: true })
  mkdirSync(join(path, 'scripts'))
  for (const name of ['build.ts', 'sbom.ts'])
    cpSync(join(ROOT, 'scripts', name), join(path, 'scripts', name))
}

/** The packages of a small checkout: those that a program loads later are small, too. */
function makePackages(path: string): void {
  for (const name of ['@aws-sdk/client-s3', 'amqplib', 'mysql2', 'pino-pretty', 'ws']) {
    mkdirSync(join(path, 'node_modules', name), { recursive: true })
    writeFileSync(join(path, 'node_modules', name, 'index.js'), '')
  }
  for (const name of ['esbuild', '@esbuild', '.bin', 'node'])
    symlinkSync(join(ROOT, 'node_modules', name), join(path, 'node_modules', name))
}

function run(file: string, ...argv: readonly string[]): SpawnSyncReturns<string> {
  return spawnSync(file, argv, { encoding: 'utf8', timeout: TIMEOUT_MS })
}

function build(root: string, target: string): SpawnSyncReturns<string> {
  return run(process.execPath, join(root, 'scripts/build.ts'), target)
}

/** The digest of each file. */
function contents(of: string): Record<string, string> {
  const names = readdirSync(of).toSorted()
  return Object.fromEntries(
    names.map((name) => [name, hash('sha256', readFileSync(join(of, name)))]),
  )
}

const builds = () => readdirSync(join(checkout, 'dist')).toSorted()

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'atoll-build-'))
  checkout = join(directory, 'checkout')
  makeCheckout(checkout)
  makePackages(checkout)
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

it(
  'are the same bytes, wherever they are built, and need nothing beside them but the addons',
  async () => {
    const [one, two] = [join(directory, 'one'), join(directory, 'elsewhere/deep/two')]
    const other = join(directory, 'other')
    makeCheckout(other)
    symlinkSync(join(ROOT, 'node_modules'), join(other, 'node_modules'))
    for (const name of ['src', 'scripts']) {
      rmSync(join(other, name), { recursive: true })
      cpSync(join(ROOT, name), join(other, name), { recursive: true })
    }
    expect(build(ROOT, one)).toMatchObject({ status: 0, stderr: '' })
    expect(build(other, two)).toMatchObject({ status: 0, stderr: '' })
    expect(contents(one)).toEqual(contents(two))
    expect(Object.keys(contents(one))).toEqual(
      expect.arrayContaining([
        'atoll.cjs',
        'agent.cjs',
        'agent.cjs.map',
        'atolld.cjs',
        'services.cjs',
        'cell.sh',
        'guest-entry.sh',
      ]),
    )
    mkdirSync(join(directory, 'node_modules'))
    for (const name of ['netlink', '@koromix', 'node-gyp-build'])
      symlinkSync(join(ROOT, 'node_modules', name), join(directory, 'node_modules', name))
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
    expect(
      run(process.execPath, '--no-strip-types', join(one, 'atolld.cjs'), '--version'),
    ).toMatchObject({
      stdout: `${version}\n`,
      stderr: '',
    })
    expect(run(process.execPath, join(one, 'atoll.cjs'), '--help').stdout).toContain('doctor')
    expect(run(process.execPath, '-e', WEBSOCKET, join(one, 'ws.cjs'))).toMatchObject({
      ...{ status: 0, stdout: `${'x'.repeat(100)}\n`, stderr: '' },
    })
    const sourcesOf = (name: string): readonly string[] =>
      JSON.parse(readFileSync(join(one, `${name}.cjs.map`), 'utf8')).sources
    const sources = sourcesOf('agent')
    expect(sources).toContain('../src/agent/agent.ts')
    expect(sourcesOf('services')).toContain('../src/services/dns/dns.ts')
    for (const room of ['services', 'workloads', 'consoles', 'host'])
      expect(sourcesOf('api').filter((path) => path.startsWith(`../src/${room}/`))).toEqual([])
    for (const room of ['agent', 'api', 'store', 'bus', 'workloads', 'images'])
      expect(sourcesOf('services').filter((path) => path.startsWith(`../src/${room}/`))).toEqual([])
    for (const unused of UNUSED)
      expect(sources.filter((path) => path.includes(`node_modules/${unused}`))).toEqual([])
  },
  TIMEOUT_MS,
)

it('have nothing of the actions in the memory of an agent that answers no clients', async () => {
  const { metafile } = await bundle({
    entryPoints: [join(ROOT, 'src/daemon-process.ts')],
    ...{ absWorkingDir: ROOT, bundle: true, platform: 'node', write: false, metafile: true },
    ...{ packages: 'external', format: 'esm' },
    plugins: [
      {
        name: 'what is loaded at once',
        setup: ({ onResolve }) =>
          onResolve({ filter: /.*/ }, ({ path, kind }) =>
            kind === 'dynamic-import' ? { path, external: true } : undefined,
          ),
      },
    ],
  })
  const sources = Object.keys(metafile.inputs)
  expect(sources).toContain('src/api/admin.ts')
  for (const room of ['actions', 'commands', 'wire'])
    expect(sources.filter((path) => path.startsWith(`src/api/${room}/`))).toEqual([])
})

it('are those of the sources, whatever their times are', () => {
  const main = join(checkout, 'src/main.ts')
  expect(run(join(checkout, 'bin/atolld'))).toMatchObject({ stdout: 'one\n', stderr: '' })
  writeFileSync(main, "console.log('two')\n")
  utimesSync(main, 1, 1)
  expect(run(join(checkout, 'bin/atolld'))).toMatchObject({ stdout: 'two\n', stderr: '' })
  const before = builds()
  expect(run(join(checkout, 'bin/atolld')).stdout).toBe('two\n')
  expect(builds()).toEqual(before)
  expect(before).toHaveLength(2)
})

it('are made once, by whoever comes first', async () => {
  writeFileSync(join(checkout, 'src/main.ts'), "console.log('three')\n")
  const before = builds().length
  const said = await Promise.all(
    [1, 2, 3].map(async () => {
      const child = spawn(join(checkout, 'bin/atolld'), { stdio: ['ignore', 'pipe', 'inherit'] })
      const texts: string[] = []
      child.stdout.setEncoding('utf8').on('data', (text) => texts.push(text))
      await once(child, 'close')
      return texts.join('')
    }),
  )
  expect(said).toEqual(['three\n', 'three\n', 'three\n'])
  expect(builds()).toHaveLength(before + 1)
})

it('are kept while something runs from them, and the newest of the others', async () => {
  writeFileSync(
    join(checkout, 'src/main.ts'),
    'console.log(import.meta.filename); process.stdin.resume()\n',
  )
  const daemon = spawn(join(checkout, 'bin/atolld'), { stdio: ['pipe', 'pipe', 'inherit'] })
  const [file] = await once(daemon.stdout.setEncoding('utf8'), 'data')
  const running = basename(dirname(String(file)))
  const made = ['a', 'b', 'c', 'd', 'e'].map((letter) => letter.repeat(32))
  const interrupted = `${'f'.repeat(32)}.123456`
  const now = Date.now() / 1000
  for (const [index, name] of [...made, interrupted].entries()) {
    mkdirSync(join(checkout, 'dist', name))
    utimesSync(join(checkout, 'dist', name), now, now + 1000 - index)
  }
  utimesSync(join(checkout, 'dist', interrupted), 1, 1)
  utimesSync(join(checkout, 'dist', running), 1, 1)
  writeFileSync(join(checkout, 'src/main.ts'), "console.log('newer')\n")
  const before = builds()
  expect(run(join(checkout, 'bin/atolld')).stdout).toBe('newer\n')
  const newest = builds().filter((name) => !before.includes(name))
  expect(builds()).toEqual([...newest, running, ...made.slice(0, 3)].toSorted())
  daemon.stdin.end()
  await once(daemon, 'exit')
})

it('are the sources themselves where nothing can be built', () => {
  const [main, dist] = [join(checkout, 'src/main.ts'), join(checkout, 'dist')]
  writeFileSync(main, "console.log('read by Node' as string)\n")
  rmSync(dist, { recursive: true })
  writeFileSync(dist, '')
  const { stdout, stderr } = run(join(checkout, 'bin/atolld'))
  expect(stdout).toBe('read by Node\n')
  expect(stderr).toMatch(/^build: E\w+: .*\n$/)
  rmSync(dist)
  writeFileSync(main, 'not TypeScript(\n')
  expect(run(join(checkout, 'bin/atolld')).stderr).toContain('build: ')
})
