/** Settings of instances that other hosts start again, as far as they are of this host. */
import { z } from 'zod'
import { port } from './config-values.ts'
import type { Ipv4 } from './model/addr.ts'
import { FENCE_LEVELS } from './model/fence-levels.ts'

const watchdogPlace = z
  .string()
  .max(100)
  .regex(/^(?:unix:)?\/\S+$/, 'must be the path of a device, such as /dev/watchdog, or unix:PATH')

/** `fence`. */
export const fence = z
  .strictObject({
    enabled: z
      .boolean()
      .default(false)
      .describe(
        'Run instances with the tag atoll:recover, which other hosts start again when this one is lost: a process of its own asks the other hosts for permission, and stops these instances without it. Needs store.kind mariadb and fabric.address, on three hosts or more',
      ),
    port: port
      .default(8772)
      .describe(
        'UDP port of fabric.address at which hosts ask each other for permission, the same on all hosts',
      ),
    level: z
      .enum(FENCE_LEVELS)
      .default('none')
      .describe(
        'How surely this host must stop such instances to get any: muted (the kernel drops their packets, and a process ends them), softdog or watchdog (the machine is reset as well); none: whatever it has',
      ),
    watchdog: watchdogPlace
      .nullable()
      .default(null)
      .describe(
        'Watchdog that resets this machine if it cannot stop such instances: a device such as /dev/watchdog that nothing else uses; null: none',
      ),
  })
  .prefault({})

/** What it needs of other settings. */
interface Settings {
  readonly fence: z.output<typeof fence>
  readonly cluster: { readonly secretFile: string | null }
  readonly store: { readonly kind: 'sqlite' | 'mariadb' }
  readonly fabric: {
    readonly address: Ipv4 | null
    readonly mode: 'direct' | 'vxlan'
    readonly port: number
  }
}

/** Refuses a fence that can ask nobody, or that can never have its level. */
export function refuseLoneFence(
  { fence, cluster, store, fabric }: Settings,
  context: z.RefinementCtx,
): void {
  const refuse = (name: keyof typeof fence, message: string) =>
    context.addIssue({ code: 'custom', path: ['fence', name], message })
  if (!fence.enabled) return
  if (store.kind === 'sqlite') refuse('enabled', 'needs store.kind mariadb: one host asks nobody')
  if (cluster.secretFile === null)
    refuse('enabled', 'needs cluster.secretFile, by which hosts know each other')
  if (fabric.address === null) refuse('enabled', 'needs fabric.address')
  if (fabric.mode === 'vxlan' && fence.port === fabric.port)
    refuse('port', 'is fabric.port, where VXLAN packets are received')
  if (fence.watchdog === null && (fence.level === 'softdog' || fence.level === 'watchdog'))
    refuse('level', `${fence.level} needs fence.watchdog`)
}
