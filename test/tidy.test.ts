/**
 * The rules of HACKING.md that a program can check: which room imports which, and what a file may
 * not contain.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const src = resolve(import.meta.dirname, '../src')

interface SourceFile {
  readonly path: string
  readonly room: string
  readonly text: string
  readonly lines: readonly string[]
  /** Paths inside src, type-only imports included. */
  readonly imports: readonly string[]
  readonly packages: readonly string[]
}

const files: readonly SourceFile[] = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.includes('generated/'))
  .map((path) => {
    const text = readFileSync(join(src, path), 'utf8')
    const specifiers = [...text.matchAll(/(?:from|import\()\s*'([^']+)'/g)].map(
      (match) => match[1] ?? '',
    )
    const local = specifiers.filter((one) => one.startsWith('.'))
    return {
      path,
      room: roomOf(path),
      text,
      lines: text.split('\n'),
      imports: local.map((one) => relative(src, resolve(src, dirname(path), one))),
      packages: specifiers.filter((one) => !one.startsWith('.')),
    }
  })

/** The code without its comments. Lines keep their numbers. */
function codeOf(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|(?<![:'"`\w/])\/\/.*$/gm, (comment) =>
    comment.replace(/[^\n]/g, ''),
  )
}

function roomOf(path: string): string {
  // Units, for whoever counts bytes.
  if (path === 'model/sizes.ts') return 'sizes.ts'
  const [first = '', second = ''] = path.split('/')
  if (path.split('/').length === 1) return 'top'
  if (path === 'services/service.ts') return 'service.ts'
  if (path === 'workloads/driver.ts') return 'driver.ts'
  return first === 'services' ? `services/${second.replace(/\.ts$/, '')}` : first
}

/** What runs instances. Containers and machines do not know each other. */
const WORKLOAD_ROOMS = ['workloads', 'containers', 'machines', 'images', 'consoles', 'driver.ts']

/**
 * Room -> rooms it may import. A service may import itself. `top` (main, cli, settings, config) may
 * import everything.
 */
const table: Readonly<Record<string, readonly string[]>> = {
  'sizes.ts': [],
  lib: ['sizes.ts'],
  model: [],
  plan: ['model'],
  store: ['model', 'lib'],
  bus: ['model', 'lib'],
  host: ['model', 'lib'],
  'service.ts': ['model', 'lib'],
  services: ['model', 'plan', 'host', 'lib', 'service.ts'],
  'driver.ts': ['model', 'plan', 'lib'],
  workloads: ['model', 'plan', 'host', 'lib', 'images', 'service.ts', 'driver.ts'],
  containers: ['model', 'plan', 'host', 'lib', 'images', 'consoles', 'driver.ts'],
  machines: ['model', 'plan', 'host', 'lib', 'images', 'consoles', 'driver.ts'],
  images: ['model', 'plan', 'host', 'lib', 'service.ts', 'driver.ts'],
  consoles: ['model', 'plan', 'host', 'lib', 'driver.ts'],
  agent: ['model', 'plan', 'store', 'bus', 'lib', 'service.ts'],
  api: ['model', 'plan', 'store', 'bus', 'lib'],
  operator: ['model', 'lib', 'host', 'driver.ts', 'parts', 'top'],
  fence: ['model', 'plan', 'host', 'lib'],
  parts: ['model', 'plan', 'host', 'lib', 'fence', 'services', 'service.ts'],
}

describe('rooms', () => {
  it.each(files.filter((file) => file.room !== 'top'))(
    '$path imports only what its room may',
    (file) => {
      const allowed = table[file.room.startsWith('services/') ? 'services' : file.room]
      expect(allowed, `room ${file.room} is in no table`).toBeDefined()
      const wrong = file.imports.filter(
        (target) =>
          roomOf(target) !== file.room &&
          !(
            roomOf(target) === 'sizes.ts' &&
            (file.room === 'model' || allowed?.includes('model'))
          ) &&
          !target.includes('..') &&
          allowed?.includes(
            roomOf(target).replace(/^services\/.*/, file.room === 'parts' ? 'services' : '$&'),
          ) !== true,
      )
      expect(wrong).toEqual([])
    },
  )

  it('operator takes only the settings from the top', () => {
    const targets = files.filter((file) => file.room === 'operator').flatMap((file) => file.imports)
    expect(targets.filter((target) => roomOf(target) === 'top' && target !== 'config.ts')).toEqual(
      [],
    )
  })
})

/**
 * What is beside src, and what it may import of the rest. A release has all of it, and no tests.
 */
const BESIDE: Readonly<Record<string, readonly string[]>> = {
  src: ['src'],
  engines: ['engines', 'src'],
  tools: ['tools', 'src'],
  scripts: ['scripts', 'tools', 'src'],
}

describe('directories', () => {
  const root = resolve(src, '..')
  const all = Object.keys(BESIDE).flatMap((directory) =>
    readdirSync(join(root, directory), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .map((path) => `${directory}/${path}`),
  )

  it.each(all)('%s imports only what a release has, and its directory may', (path) => {
    const text = readFileSync(join(root, path), 'utf8')
    const targets = [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map((match) =>
      relative(root, resolve(root, dirname(path), match[1] ?? '')),
    )
    const allowed = BESIDE[path.split('/')[0] ?? ''] ?? []
    const wrong = [...Object.keys(BESIDE), 'test'].filter((name) => !allowed.includes(name))
    expect(targets.filter((target) => wrong.includes(target.split('/')[0] ?? ''))).toEqual([])
  })

  it.each(all.filter((path) => !path.startsWith('src/')))('%s is of one subject', (path) => {
    const text = readFileSync(join(root, path), 'utf8')
    expect(text.startsWith('/**'), 'the header comment is missing').toBe(true)
    expect(text.split('\n').length).toBeLessThanOrEqual(400)
  })
})

describe('pure files', () => {
  const pure = files.filter(
    ({ room, text }) =>
      room === 'model' ||
      room === 'sizes.ts' ||
      room === 'plan' ||
      // Whatever says of itself that it is.
      /\bPure\.(?:\s|$)/.test(/^\/\*\*[\s\S]*?\*\//.exec(text)?.[0] ?? ''),
  )

  it.each(pure)('$path has no I/O, no clock, no chance and no async', ({ text, packages }) => {
    expect(
      packages.filter((name) => name.startsWith('node:') && !CALCULATING.includes(name)),
    ).toEqual([])
    expect(
      codeOf(text).match(
        /\b(?:async|await|Promise|Date\.now|new Date\(\)|Math\.random|performance\.now|setTimeout|process)\b/g,
      ) ?? [],
    ).toEqual([])
  })
})

/** Modules of Node that only calculate. */
const CALCULATING = ['node:crypto', 'node:net', 'node:util', 'node:zlib']

/** Whether a line makes a collection for the module that the module later changes. */
function isWrittenTo(line: string, text: string): boolean {
  const [, name] =
    /^(?:export )?const (\w+)(?:: [^=]+)? = (?:new (?:Weak)?(?:Map|Set)\b|\[|\{)/.exec(line) ?? []
  if (name === undefined) return false
  return new RegExp(
    `\\b${name}(?:\\.(?:set|add|delete|clear|push|pop|shift|unshift|splice|sort|reverse)\\(|\\.\\w+ = |\\[[^\\]]+\\] = )`,
  ).test(codeOf(text))
}

describe('every file', () => {
  it.each(files)('$path opens with what it owns and is of one subject', ({ text, lines }) => {
    expect(text.startsWith('/**'), 'the header comment is missing').toBe(true)
    expect(lines.length).toBeLessThanOrEqual(400)
  })

  it.each(files)('$path documents what it exports', ({ lines }) => {
    const bare = lines.filter((line, index) => {
      const exported = /^export (?:async )?(?:function|class|const) /.test(line)
      return exported && !/\*\/\s*$/.test(lines[index - 1] ?? '')
    })
    expect(bare).toEqual([])
  })

  /** A queue for each file of the machine, of which there is one for whoever is in the process. */
  const ONE_OF_THE_PROCESS: Readonly<Record<string, string>> = {
    'lib/files.ts': 'const inTurn = createQueues<string>()',
  }

  it.each(files)(
    '$path keeps no state of its own and leaves nothing behind',
    ({ path, text, lines }) => {
      const states = lines.filter(
        (line) =>
          /^(?:export )?let /.test(line) ||
          // Constants that are changed later: collections that do not say they are read-only and
          // are written to, and whatever `create…` or `new` makes that has state.
          /^(?:export )?const \w+(?:: [^=]+)? = (?:create[A-Z]\w*[<(]|new (?:AbortController|EventEmitter|LRUCache|AsyncLocalStorage)\b)/.test(
            line,
          ) ||
          isWrittenTo(line, text),
      )
      expect(states.filter((line) => line !== ONE_OF_THE_PROCESS[path])).toEqual([])
      expect(text.match(/\b(?:TODO|FIXME|XXX)\b/g) ?? []).toEqual([])
    },
  )

  it.each(files.filter((file) => file.path !== 'config.ts'))(
    '$path does not read the environment',
    ({ text }) => {
      expect(text).not.toMatch(/process\.env/)
    },
  )
})

describe('time and chance', () => {
  /** Node's own timers and clocks, and `lib`'s versions of them where a caller gave none. */
  const RAW =
    /(?<![.\w])(?:setTimeout|setInterval|setImmediate)\(|\b(?:Date\.now|performance\.now|process\.hrtime|Math\.random|AbortSignal\.timeout|systemClock|startingClock|systemRandom|systemRandomBytes|systemUuid)\b|\bnew Date\(\)|\bcrypto\.(?:random|getRandom)\w+/g
  const IMPORT = /import (?:type )?(?:\{[^}]*\}|[\w*{} ]+) from '([^']+)'/g
  const RAW_IMPORT =
    /'node:timers(?:\/promises)?'|\b(?:random\w+|webcrypto)\b(?=[^']*'node:crypto')/g

  /** How often a file uses one of them. Names of `lib` count where they are used, not imported. */
  function rawIn(text: string): number {
    const code = codeOf(text)
    const imports = code.match(IMPORT) ?? []
    const imported = imports.flatMap((one) => one.match(RAW_IMPORT) ?? [])
    return imported.length + (code.replace(IMPORT, '').match(RAW)?.length ?? 0)
  }

  /** Where a process begins: it gives its parts their clock and their randomness. */
  const ENTRIES = [
    'daemon-process.ts',
    'api-main.ts',
    'cli.ts',
    'parts/services-main.ts',
    'parts/fence-main.ts',
  ]

  /**
   * How often each other file outside `lib/` goes past the clock and the randomness that it should
   * be given. The list only shrinks: a smaller figure has to be written down here, and a file that
   * needs none must be taken out.
   */
  const STILL_RAW: Readonly<Record<string, number>> = {
    'api/http/broken-http.ts': 1,
    'api/http/last-answer.ts': 1,
    'api/http/server.ts': 3,
    'api/http/tls-detection.ts': 2,
    'api/instances/ssh-keys.ts': 1,
    'bus/local.ts': 1,
    'consoles/serial-lines.ts': 2,
    'consoles/serial-relay.ts': 1,
    'containers/docker.ts': 2,
    'containers/engine-info.ts': 1,
    'containers/read.ts': 1,
    'engines.ts': 1,
    'fencing.ts': 2,
    'host-services.ts': 1,
    'host/sockets/service-manager.ts': 1,
    'machines/agent.ts': 2,
    'machines/qmp.ts': 1,
    'machines/teardown.ts': 2,
    'operator/doctor-certificates.ts': 1,
    'operator/doctor-engines.ts': 1,
    'operator/doctor-forwarders.ts': 1,
    'operator/doctor-host.ts': 1,
    'operator/doctor-nat.ts': 1,
    'services/dns/forward.ts': 1,
    'store/engines/mariadb/dialect.ts': 6,
    'store/engines/sqlite/connection.ts': 1,
    'store/engines/sqlite/dialect.ts': 2,
    'store/sql.ts': 1,
    'unique-host.ts': 1,
  }

  it('come as arguments, outside lib', () => {
    const found = files
      .filter(({ room, path }) => room !== 'lib' && !ENTRIES.includes(path))
      .map(({ path, text }): [string, number] => [path, rawIn(text)])
      .filter(([, count]) => count > 0)
    expect(Object.fromEntries(found)).toEqual(STILL_RAW)
  })
})

describe('comments', () => {
  const WIDTH = 100
  /** What cannot be broken: directives, addresses, drawings. */
  const UNBREAKABLE = /biome-ignore|shellcheck |https?:\/\/\S{40,}|-{20,}/

  const wideComments = (text: string, code: string) => {
    const codeLines = code.split('\n')
    return text
      .split('\n')
      .filter(
        (line, index) =>
          line.length > WIDTH && line !== codeLines[index] && !UNBREAKABLE.test(line),
      )
  }

  it.each(files)('$path has comments of 100 columns at most', ({ text }) => {
    expect(wideComments(text, codeOf(text))).toEqual([])
  })

  const root = resolve(src, '..')
  const beside = ['engines', 'tools', 'scripts', 'test'].flatMap((directory) =>
    readdirSync(join(root, directory), { recursive: true, encoding: 'utf8' })
      .map((path) => `${directory}/${path}`)
      .filter((path) => statSync(join(root, path)).isFile())
      // Of the tests' files only code: pages, recordings and golden files have no comments.
      .filter((path) => directory !== 'test' || path.endsWith('.ts')),
  )

  it.each(beside)('%s has comments of 100 columns at most', (path) => {
    const text = readFileSync(join(root, path), 'utf8')
    const code = path.endsWith('.ts') ? codeOf(text) : text.replace(/(?<=^|\s)# .*$/gm, '')
    const wide = wideComments(text, code)
    // Scripts in strings of tests have `//` and `/*`, too.
    expect(
      path.startsWith('test/') ? wide.filter((line) => /^\s*(?:\/\/|\/?\*)/.test(line)) : wide,
    ).toEqual([])
  })
})

describe('paths', () => {
  /** Directories of their own, made with a random name just before. */
  const MADE_BY_MKDTEMP = ['lib/paths.ts', 'lib/certificates.ts', 'host/kvm/kvm.ts']
  /** Its names come from an operator, and it has a check of its own. */
  const NAMED_BY_OPERATOR = 'images/published.ts'

  it.each(files.filter(({ path }) => !MADE_BY_MKDTEMP.includes(path)))(
    '$path removes directories by removeTree only',
    ({ text }) => {
      expect(text).not.toMatch(/\brm(?:Sync)?\([^)]*recursive: true/)
    },
  )

  it.each(
    files.filter(
      ({ path, room }) =>
        (WORKLOAD_ROOMS.includes(room) && path !== NAMED_BY_OPERATOR) ||
        room === 'operator' ||
        /^host\/(?:files\/volumes|processes\/processes|processes\/groups)\.ts$/.test(path),
    ),
  )('$path puts names into paths by below only', ({ text }) => {
    expect(text).not.toMatch(/import \{[^}]*\b(?:join|resolve)\b[^}]*\} from 'node:path'/)
  })
})

describe('names of ours', () => {
  it.each(files)('$path spells no directory below the state directory', ({ text }) => {
    expect(text.match(/\bstateDir, '[\w-]+'/g) ?? []).toEqual([])
  })
})

describe('unit tests', () => {
  const unit = resolve(import.meta.dirname, 'unit')
  const tests = readdirSync(unit, { recursive: true, encoding: 'utf8' })

  it.each(tests.filter((path) => path.endsWith('.test.ts')))(
    '%s stands where its subject does',
    (path) => {
      const subject = path.replace(/\.test\.ts$/, '.ts')
      // What is not in src is in engines or scripts, whose names are in the path already.
      const places = [join(src, subject), join(src, '..', subject)]
      expect(places.filter((place) => existsSync(place))).toHaveLength(1)
    },
  )
})

it('every file is imported, or is where a program begins', () => {
  const imported = new Set(files.flatMap(({ imports }) => imports))
  /** Programs, and what is loaded by its path. */
  const BEGINNINGS = ['main.ts', 'cli.ts', 'consoles/serial-relay.ts']
  const alone = files.filter(({ path }) => !imported.has(path)).map(({ path }) => path)
  expect(alone.filter((path) => !BEGINNINGS.includes(path))).toEqual([])
})

it('no import cycles', () => {
  const graph = new Map(
    files.map((file) => [file.path, file.imports.filter((target) => !target.includes('..'))]),
  )
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path))
      throw new Error(`cycle: ${[...trail.slice(trail.indexOf(path)), path].join(' -> ')}`)
    if (done.has(path)) return
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path])
    done.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
})
