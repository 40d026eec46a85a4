/** Settings of storage that several hosts reach. */
import { z } from 'zod'
import { absolutePath } from './config-values.ts'

/** A pool or a user of Ceph, as part of a command and of a path. */
const cephName = z
  .string()
  .max(64)
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_-]*$/,
    'must be letters, digits, _ and -, beginning with a letter or digit',
  )

/** `storage`. */
export const storage = z
  .strictObject({
    shared: z
      .strictObject({
        path: absolutePath
          .nullable()
          .default(null)
          .describe(
            'Directory that is mounted on several hosts by your own means (NFS 4, GFS2, ...), for the disks of virtual machines whose volume has the tag atoll:storage; atoll storage init prepares it once. Its path may differ from host to host. null: none',
          ),
      })
      .prefault({}),
    ceph: z
      .strictObject({
        pool: cephName
          .nullable()
          .default(null)
          .describe(
            'Pool of a Ceph cluster, for the disks of virtual machines whose volume has the tag atoll:storage=ceph; atoll storage init prepares it once. null: none',
          ),
        user: cephName.default('atoll').describe('User of the cluster, without "client."'),
        conf: absolutePath
          .default('/etc/ceph/ceph.conf')
          .describe('Configuration of the cluster; the same timers on all hosts'),
        keyring: absolutePath
          .nullable()
          .default(null)
          .describe(
            'File with the key of the user. null: ceph.client.USER.keyring beside storage.ceph.conf',
          ),
      })
      .prefault({}),
  })
  .refine(({ shared, ceph }) => shared.path === null || ceph.pool === null, {
    path: ['ceph', 'pool'],
    error: 'a host has one storage: leave out storage.ceph.pool or storage.shared.path',
  })
  .prefault({})
