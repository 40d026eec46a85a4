/**
 * The command line of the benchmarks: selects them, prints their tables, and stores the raw
 * figures.
 */
import { writeFileSync } from 'node:fs'
import { Command } from 'commander'
import { api } from './api.ts'
import { boot } from './boot.ts'
import { bus } from './bus.ts'
import { dhcp } from './dhcp.ts'
import { dns } from './dns.ts'
import { type Benchmark, type BenchResult, markdown } from './figures.ts'
import { firewall } from './firewall.ts'
import { footprint } from './footprint.ts'
import { isolation } from './isolation.ts'
import { launch } from './launch.ts'
import { mending } from './mending.ts'
import { metadata } from './metadata.ts'
import { parts } from './parts.ts'
import { scale } from './scale.ts'
import { start } from './start.ts'
import { storm } from './storm.ts'
import { traffic } from './traffic.ts'
import { vpcs } from './vpcs.ts'

const benchmarks: readonly Benchmark[] = [
  launch,
  storm,
  isolation,
  boot,
  footprint,
  start,
  bus,
  api,
  scale,
  mending,
  firewall,
  parts,
  dns,
  dhcp,
  metadata,
  traffic,
  vpcs,
]

const program = new Command('scripts/bench')
  .argument('<name>', `one of: ${benchmarks.map(({ name }) => name).join(', ')}, all, list`)
  .option('--json <file>', 'write the raw figures there')
  .parse()
const [name = ''] = program.args
const { json } = program.opts<{ json?: string }>()

if (name === 'list') {
  for (const { name, about } of benchmarks) process.stdout.write(`${name.padEnd(12)} ${about}\n`)
  process.exit(0)
}
const chosen = benchmarks.filter((one) => name === 'all' || one.name === name)
if (chosen.length === 0)
  program.error(`there is no benchmark "${name}"; see: scripts/bench list`, { exitCode: 2 })

const results: BenchResult[] = []
for (const benchmark of chosen) {
  process.stderr.write(`... ${benchmark.name}: ${benchmark.about}\n`)
  const result = await benchmark.run((line) => process.stderr.write(`    ${line}\n`))
  results.push(result)
  process.stdout.write(`${markdown(result)}\n`)
}
if (json !== undefined) writeFileSync(json, `${JSON.stringify(results, null, 2)}\n`)
process.exit(results.every((result) => result.targets.every((target) => target.met)) ? 0 : 1)
