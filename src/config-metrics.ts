/** Settings of metrics. */
import { z } from 'zod'
import { ipv4Text, port } from './config-values.ts'

/** Where metrics are, and how many there are of what comes and goes. */
export const metrics = z
  .strictObject({
    listen: ipv4Text.prefault('127.0.0.1').describe('Address of /metrics and /healthz'),
    port: port.default(9773).describe('TCP port of /metrics and /healthz'),
    interfaces: z
      .int()
      .min(0)
      .max(100_000)
      .default(1000)
      .describe(
        'Most network interfaces of this host with metrics of their own, eight each; those of the others are counted together, as `others`',
      ),
    rules: z
      .int()
      .min(0)
      .max(100_000)
      .default(1000)
      .describe(
        'Most rules of security groups on this host with metrics of their own, two each; 0: rules are not counted',
      ),
  })
  .prefault({})
