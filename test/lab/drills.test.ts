/**
 * The failure drills, in a lab of three whole hosts: only the instances of the broken host lose
 * anything, and everything recovers by itself. They run in the long mode (`scripts/test long`), and
 * a short set where somebody asks for it (`scripts/test drills`).
 */
import { afterAll, afterEach, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { drillLab, drills } from '../../tools/drills/all.ts'
import {
  clientOf,
  labCredentials,
  listClient,
  machineImage,
  sampleImage,
} from '../../tools/drills/api.ts'
import { checkConsistency, SCARCE } from '../../tools/drills/consistency/run.ts'
import { runDrill } from '../../tools/drills/drill.ts'
import { ensureFleet } from '../../tools/drills/fleet.ts'
import { consistencyText, remarks, table } from '../../tools/drills/report.ts'
import { canRunMachines } from '../../tools/kit/tiny-guest.ts'
import { destroyLab, type Lab } from '../../tools/lab/lab.ts'
import { isLong } from '../long-files.ts'

const NAME = 'drilltest'
/** A host lost: `test/fresh` does that, too, by the command. */
const SHORT: ReadonlySet<string> = new Set(['host-loss'])
const LAB_MS = 240_000
const DRILL_MS = 420_000
const TRACE_MS = 420_000
const SEEN_MS = 60_000
/** Until all other hosts know of a loss; four seconds on a quiet machine. */
const KNOWN_MS = 15_000
/** Targets that are missed by taking longer. */
const TIMES =
  /^(gap of API|a floating IP|time until the loss was known|longest gap of pings|\d+ never-started instances running elsewhere)/
const CONSISTENCY_SECONDS = 60
const CONSISTENCY_LAB = 'consistencytest'

const said: string[] = []
const progress = (line: string) => said.push(line)

afterEach(() => {
  said.length = 0
})
afterAll(() => destroyLab(NAME), LAB_MS)

for (const drill of drills.filter(({ name }) => isLong || SHORT.has(name)))
  it(
    drill.name,
    async () => {
      const lab = await drillLab(progress, NAME)
      const row = await runDrill(drill, lab, progress)
      process.stdout.write(`${table([row], 'now')}\n${remarks(row).join('\n')}\n`)
      // How long something may take is for a quiet machine to say (scripts/drill); what must never
      // be lost or left over, and what must come in the end, is not.
      const broken = row.missed.filter((text) => !TIMES.test(text))
      expect(broken, said.join('\n')).toEqual([])
      expect(row.knownMs ?? 0, said.join('\n')).toBeLessThan(KNOWN_MS)
      expect(row.notes.join('\n')).not.toContain('the unstarted instances run elsewhere')
    },
    drill.limitMs ?? DRILL_MS,
  )

/** The instances of the last drill, which it has left as they were. */
async function fleetOf(lab: Lab) {
  const leave = lab.outside.enter()
  try {
    const credentials = await labCredentials(lab)
    const clients = lab.hosts.map(({ name }) => clientOf(lab, name, credentials))
    const list = listClient(clients, TRACE_MS)
    const machine = canRunMachines() ? await machineImage(list, lab.hosts) : null
    return await ensureFleet(lab, list, { container: await sampleImage(list), machine })
  } finally {
    leave()
  }
}

const traceSchema = z.object({
  passes: z.boolean(),
  text: z.string(),
  lines: z.array(z.object({ host: z.string(), vpc: z.string().nullable() })),
})

it(
  'a traced packet is followed through two daemons, whichever host is asked',
  async () => {
    const lab = await drillLab(progress, NAME)
    const fleet = await fleetOf(lab)
    const trace = async (at: string, from: string, to: string, what: string) => {
      const asked = ['atoll', 'trace', '--json', from, to, what]
      const { stdout, exitCode } = await lab.host(at).exec(asked)
      if (exitCode !== 0 && exitCode !== 1) return null
      const { passes, text, lines } = traceSchema.parse(JSON.parse(stdout))
      const places = lines.map(({ host, vpc }) => (vpc === null ? host : `${host} in its VPC`))
      return { exitCode, passes, text, places: [...new Set(places)] }
    }
    /** What is seen in time: on a busy machine a host may be late, and the next packet is not. */
    const sees = (
      asked: Parameters<typeof trace>,
      places: readonly string[],
      ending: RegExp = /: it arrived\.$/,
    ) =>
      expect
        .poll(() => trace(...asked), { timeout: SEEN_MS, message: asked.join(' ') })
        .toEqual({
          ...{ exitCode: ending.test(': it arrived.') ? 0 : 1, places },
          ...{ passes: ending.test(': it arrived.'), text: expect.stringMatching(ending) },
        })
    const [plain, far] = [fleet.on('h1')[0], fleet.on('h2')[0]]
    const [red, redFar] = [fleet.tenantOn('red', 'h1'), fleet.tenantOn('red', 'h2')]
    const blue = fleet.tenantOn('blue', 'h1')
    for (const at of ['h1', 'h2', 'h3']) await sees([at, plain.id, far.id, 'icmp'], ['h1', 'h2'])
    const inVpc = ['h1 in its VPC', 'h2 in its VPC']
    await sees(['h3', red.id, redFar.id, 'icmp'], inVpc)
    // By its floating IP, through the networks of both VPCs and both hosts.
    const floating = redFar.publicIp ?? ''
    const all = ['h1 in its VPC', 'h1', 'h2', 'h2 in its VPC']
    await sees(['h3', blue.id, floating, 'icmp'], all)
    await sees(['h3', blue.id, floating, 'tcp/22'], all, /: dropped on host h2\. .*\(group\)/)
  },
  TRACE_MS,
)

it.runIf(isLong)(
  'a random history is one that a cloud may have',
  async () => {
    await destroyLab(NAME)
    const lab = await drillLab(progress, CONSISTENCY_LAB, SCARCE)
    onTestFinished(() => destroyLab(CONSISTENCY_LAB), LAB_MS)
    const seed = Date.now() % 100_000
    const result = await checkConsistency(lab, { seed, seconds: CONSISTENCY_SECONDS }, progress)
    process.stdout.write(`${consistencyText(result)}\n`)
    expect(result.violations, said.join('\n')).toEqual([])
  },
  DRILL_MS,
)
