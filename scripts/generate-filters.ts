/**
 * Writes `src/api/generated/filters.ts`: the filters that EC2 documents for each action that Atoll
 * answers.
 *
 * The source is the documentation inside `@aws-sdk/client-ec2`, which is EC2's own API reference:
 * every item of the first list in the text of an action's `Filters` begins with a filter's name. A
 * test checks that the committed file is what this writes.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { allActions } from '../src/api/actions/all.ts'

const DOCUMENTATION = join(
  import.meta.dirname,
  '../node_modules/@aws-sdk/client-ec2/dist-types/models',
)
const FILE = join(import.meta.dirname, '../src/api/generated/filters.ts')

/** Names that EC2 once documented, and that SDKs of Debian's age still do. */
const OLDER: Readonly<Record<string, readonly string[]>> = {
  DescribeAddresses: ['domain'],
  DescribeAvailabilityZones: ['parent-zoneID', 'parent-zoneName'],
  DescribeFastLaunchImages: ['launch-template'],
  // Of EC2-Classic's groups.
  DescribeInstances: ['group-id', 'group-name'],
  DescribeNetworkInsightsPaths: ['destination-port'],
  DescribeReservedInstancesModifications: ['modification-result.target-configuration.platform'],
  DescribeScheduledInstances: ['network-platform'],
}

/** The file, whose text is the same for the same SDK and the same actions. */
export function generateFilters(): string {
  const texts = readDocumentation()
  const table = allActions
    .map(({ name }) => name)
    .toSorted()
    .flatMap((action) => {
      const names = [...filterNames(texts.get(action) ?? ''), ...(OLDER[action] ?? [])].toSorted()
      const rows = names.map((name) => `    '${name}',\n`).join('')
      return names.length === 0 ? [] : [`  ${action}: [\n${rows}  ],\n`]
    })
  return `/**
 * Written by scripts/generate-filters.ts from @aws-sdk/client-ec2; do not edit. The filters that
 * EC2 documents, by action. \`tag:\` stands for \`tag:<key>\`. An action without a row has no
 * filters, or its documentation names none.
 */
export const DOCUMENTED_FILTERS: Readonly<Record<string, readonly string[]>> = {
${table.join('')}}
`
}

/** The documentation of each action's filters, HTML without the comment's stars. */
function readDocumentation(): ReadonlyMap<string, string> {
  const files = readdirSync(DOCUMENTATION).filter((name) => /^models_\d+\.d\.ts$/.test(name))
  const found = new Map<string, string>()
  for (const file of files) {
    const source = readFileSync(join(DOCUMENTATION, file), 'utf8')
    for (const [, action = '', body = ''] of source.matchAll(
      /export interface (\w+)Request \{\n([\s\S]*?)\n\}/g,
    )) {
      // Some actions call the member `Filter`.
      const [, text] = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*Filters?\?: Filter\[\]/.exec(body) ?? []
      if (text !== undefined) found.set(action, text.replaceAll(/\n\s*\*/g, '\n'))
    }
  }
  return found
}

/** The first words of the outer list's items; lists within them are of values. */
function filterNames(html: string): readonly string[] {
  const names = new Set<string>()
  let depth = 0
  for (const [tag, name] of html.matchAll(
    /<ul>|<\/ul>|<li>\s*<p>\s*(?:<code>)?\s*([\w.:-]+(?:<key>)?)/g,
  )) {
    if (tag === '<ul>') depth += 1
    else if (tag === '</ul>') depth -= 1
    else if (depth === 1 && name !== undefined) names.add(name)
  }
  // Written as `<code>tag</code>:<key>` or `<code>tag:<key></code>`.
  return [...names].map((name) => (/^tag(?::<key>|:)?$/.test(name) ? 'tag:' : name))
}

if (import.meta.main) writeFileSync(FILE, generateFilters())
