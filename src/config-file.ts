/**
 * Settings as YAML: reads a file and reports all its problems at once, prints settings, and
 * provides the reference of all keys.
 *
 * A problem names the file, the line and the key. Unknown keys are problems.
 */
import { type Document, isMap, isScalar, LineCounter, parseDocument, stringify } from 'yaml'
import { z } from 'zod'
import { type Config, configSchema } from './config.ts'
import { issueText } from './lib/issue-text.ts'
import { readTextFile } from './lib/text-file.ts'
import { messageOf } from './model/errors.ts'
import { formatRange } from './model/pools.ts'
import { MIB } from './model/sizes.ts'

/** Far more than all settings with their descriptions. */
const LIMIT_BYTES = MIB

/** A problem in a configuration. `line` counts from 1. Null if no line of the file is the cause. */
export interface ConfigProblem {
  readonly key: string
  readonly line: number | null
  readonly message: string
}

/** Every problem of a configuration at once. */
export class ConfigError extends Error {
  readonly file: string
  readonly problems: readonly ConfigProblem[]

  constructor(file: string, problems: readonly ConfigProblem[]) {
    const lines = problems.map(
      ({ key, line, message }) =>
        `${file}${line === null ? '' : `:${line}`}: ${key === '' ? '' : `${key}: `}${message}`,
    )
    super(lines.join('\n'))
    this.name = 'ConfigError'
    this.file = file
    this.problems = problems
  }
}

/**
 * Settings from YAML text. Throws `ConfigError` with all problems. An empty text means all
 * defaults.
 */
export function parseConfig(text: string, file: string): Config {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
  })
  if (document.errors.length > 0) {
    throw new ConfigError(
      file,
      document.errors.map((error) => ({
        key: '',
        line: lines.linePos(error.pos[0]).line,
        message: /call stack/.test(error.message) ? 'is nested too deeply' : error.message,
      })),
    )
  }
  const lineOf = (path: readonly PropertyKey[]): number | null => {
    const offset = keyOffset(document.contents, path)
    return offset === null ? null : lines.linePos(offset).line
  }
  const result = configSchema.safeParse(toPlain(document, file))
  if (result.success) return result.data
  throw new ConfigError(
    file,
    result.error.issues.flatMap((issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => ({
            key: [...issue.path, key].join('.'),
            line: lineOf([...issue.path, key]),
            message: `unknown key${suggestion(issue.path, key)}`,
          }))
        : [{ key: issue.path.join('.'), line: lineOf(issue.path), message: issueText(issue) }],
    ),
  )
}

/**
 * The document as plain values. An alias is a problem, because with aliases a small file can expand
 * to a large one.
 */
function toPlain(document: Document, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 0 }) ?? {}
  } catch (error) {
    throw new ConfigError(file, [{ key: '', line: null, message: messageOf(error) }])
  }
}

/** Offset of the key at the deepest part of `path` that is in the file. */
function keyOffset(contents: unknown, path: readonly PropertyKey[]): number | null {
  let node = contents
  let offset: number | null = null
  for (const step of path) {
    if (!isMap(node)) break
    const pair = node.items.find((item) => isScalar(item.key) && item.key.value === step)
    if (pair === undefined) break
    if (isScalar(pair.key)) offset = pair.key.range?.[0] ?? offset
    node = pair.value
  }
  return offset
}

/**
 * The known keys similar to an unknown one, so that a typing error can be fixed without the manual.
 */
function suggestion(path: readonly PropertyKey[], key: string): string {
  const parent = path.join('.')
  const known = settingsReference()
    .map((setting) => setting.key)
    .flatMap((name) => {
      const rest =
        parent === '' ? name : name.startsWith(`${parent}.`) ? name.slice(parent.length + 1) : null
      return rest === null ? [] : [rest.split('.')[0] ?? rest]
    })
  return known.length === 0
    ? ''
    : ` (known here: ${[...new Set(known)].filter((name) => name !== key).join(', ')})`
}

/** Settings from a file. A missing file is an error only if the caller named it (`required`). */
export function loadConfig(file: string, options: { readonly required: boolean }): Config {
  const found = readTextFile(file, LIMIT_BYTES)
  if ('text' in found) return parseConfig(found.text, file)
  if (found.isMissing && !options.required) return parseConfig('', file)
  const fix = found.isMissing ? ': name another one with --config, or leave --config out' : ''
  throw new ConfigError(file, [{ key: '', line: null, message: `${found.problem}${fix}` }])
}

/** One row of the reference: key, default as YAML, description. */
export interface SettingReference {
  readonly key: string
  readonly default: string
  readonly description: string
}

/** Every setting in order, from the schema. */
export function settingsReference(): readonly SettingReference[] {
  const rows: SettingReference[] = []
  const walk = (shape: Readonly<Record<string, z.core.$ZodType>>, prefix: string): void => {
    for (const [name, field] of Object.entries(shape)) {
      const key = prefix === '' ? name : `${prefix}.${name}`
      const inner = field instanceof z.ZodPrefault ? field.def.innerType : field
      if (inner instanceof z.ZodObject) walk(inner.shape, key)
      else
        rows.push({
          key,
          default: defaultText(field, key),
          description: z.globalRegistry.get(field)?.description ?? '',
        })
    }
  }
  walk(configSchema.shape, '')
  return rows
}

function defaultText(field: z.core.$ZodType, key: string): string {
  if (key === 'host.name') return "the machine's host name"
  const value =
    field instanceof z.ZodDefault || field instanceof z.ZodPrefault
      ? field.def.defaultValue
      : undefined
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trim()
}

/**
 * The settings as a YAML file with all keys and their descriptions as comments, for
 * `--print-config`.
 */
export function printConfig(config: Config): string {
  const values = plain(config)
  let open: readonly string[] = []
  const lines: string[] = []
  for (const { key, description } of settingsReference()) {
    const path = key.split('.')
    const sections = path.slice(0, -1)
    for (const [depth, section] of sections.entries())
      if (open.slice(0, depth + 1).join('.') !== sections.slice(0, depth + 1).join('.'))
        lines.push(`${'  '.repeat(depth)}${section}:`)
    open = sections
    const indent = '  '.repeat(sections.length)
    const value = path.reduce<unknown>(
      (node, name) => (isRecord(node) ? node[name] : undefined),
      values,
    )
    lines.push(`${indent}# ${description}`)
    lines.push(
      `${indent}${path.at(-1)}: ${stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trim()}`,
    )
  }
  return `${lines.join('\n')}\n`
}

/** The configuration in the form of the file: networks as text. */
function plain(config: Config): unknown {
  const text = (net: { readonly network: string; readonly prefix: number }) =>
    `${net.network}/${net.prefix}`
  return {
    ...config,
    network: {
      ...config.network,
      vpc: text(config.network.vpc),
      subnet: text(config.network.subnet),
      reach: config.network.reach.map(text),
      pools: config.network.pools.map((pool) => ({
        ...pool,
        ranges: pool.ranges.map(formatRange),
      })),
      nat: { ...config.network.nat, exceptions: config.network.nat.exceptions.map(text) },
    },
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
