/**
 * The default speed of a volume type, as EC2 shows it, because clients compare it with what they
 * requested. Atoll does not limit disks. Pure.
 * https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html
 */

/** Operations per second of a gp3 volume that names none. */
export const GP3_IOPS = 3000
/** Throughput of a gp3 volume that names none, in MiB per second. */
export const GP3_MIB_PER_S = 125

const GP2_IOPS_PER_GIB = 3
const GP2_LEAST_IOPS = 100
const GP2_MOST_IOPS = 16_000

/** Members of a volume. Empty for types for which EC2 shows none. */
export function baselineSpeed(
  type: string | null | undefined,
  sizeGiB: number,
): { readonly Iops?: number; readonly Throughput?: number } {
  switch (type) {
    case 'gp3':
      return { Iops: GP3_IOPS, Throughput: GP3_MIB_PER_S }
    case 'gp2':
      return {
        Iops: Math.min(GP2_MOST_IOPS, Math.max(GP2_LEAST_IOPS, sizeGiB * GP2_IOPS_PER_GIB)),
      }
    default:
      return {}
  }
}
