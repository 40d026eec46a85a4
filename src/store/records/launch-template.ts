/** Launch templates and their versions. No host reads them. */
import { z } from 'zod'
import { parseJson } from '../../lib/json.ts'
import type { AccountId, LaunchTemplateId } from '../../model/ids.ts'
import {
  type LaunchTemplate,
  type LaunchTemplateData,
  type LaunchTemplateVersion,
  TEMPLATE_DATA_MAX_BYTES,
  TEMPLATE_NAME,
} from '../../model/launch-template.ts'
import { account, count, id, name, prose, time } from './columns.ts'
import { inParts } from './in-parts.ts'
import { insertOr } from './insert.ts'
import { always, hasId, nobody, noun, type RowsOf, type Session, table } from './noun.ts'

type VersionRow = Omit<LaunchTemplateVersion, 'data'> & {
  /** JSON. */
  readonly data: string
}

const number = count.min(1)

const tables = {
  launchTemplates: table<LaunchTemplate>({
    name: 'launchTemplates',
    schema: z.object({
      id: id('lt'),
      account,
      name: z.string().regex(TEMPLATE_NAME),
      createdAt: time,
      createdBy: prose,
      defaultVersion: number,
      latestVersion: number,
      lastVersion: number,
    }),
  }),
  launchTemplateVersions: table<VersionRow>({
    name: 'launchTemplateVersions',
    key: ['template', 'version'],
    schema: z.object({
      template: id('lt'),
      version: number,
      account,
      request: name,
      description: prose,
      createdAt: time,
      createdBy: prose,
      data: z
        .string()
        .max(TEMPLATE_DATA_MAX_BYTES)
        .refine((text) => parseData(text) !== undefined, 'is no JSON object'),
    }),
  }),
}
type Tables = RowsOf<typeof tables>

/** The versions to list. Fields are joined by AND. */
interface VersionQuery {
  readonly account: AccountId
  readonly templates?: readonly LaunchTemplateId[]
  /** Numbers, of which there should be few. */
  readonly versions?: readonly number[]
  /** What made it. */
  readonly request?: string
}

/** The noun. */
export const launchTemplates = noun({
  tables,
  reads: ({ db, rows }: Session<Tables>) => ({
    async launchTemplates({
      account,
    }: {
      readonly account: AccountId
    }): Promise<readonly LaunchTemplate[]> {
      const query = db.selectFrom('launchTemplates').selectAll().where('account', '=', account)
      return rows.parse(tables.launchTemplates, await query.orderBy('id').execute())
    },
    /** By template and number. A version may be large, so ask for no more than is needed. */
    async launchTemplateVersions({
      account,
      templates,
      versions,
      request,
    }: VersionQuery): Promise<readonly LaunchTemplateVersion[]> {
      let query = db
        .selectFrom('launchTemplateVersions')
        .selectAll()
        .where('account', '=', account)
        .orderBy('template')
        .orderBy('version')
      if (versions !== undefined) query = query.where('version', 'in', [0, ...versions])
      if (request !== undefined) query = query.where('request', '=', request)
      const found = await inParts(templates, (part) =>
        part === undefined ? query.execute() : query.where('template', 'in', part).execute(),
      )
      return (await rows.parseLong(tables.launchTemplateVersions, found)).map(fromRow)
    },
    /** The numbers of a template's versions, ascending, without what is in them. */
    async launchTemplateNumbers(template: LaunchTemplateId): Promise<readonly number[]> {
      const found = await db
        .selectFrom('launchTemplateVersions')
        .select('version')
        .where('template', '=', template)
        .orderBy('version')
        .execute()
      return found.map(({ version }) => Number(version))
    },
    /** How many versions all templates of an account have. */
    async countLaunchTemplateVersions(account: AccountId): Promise<number> {
      const { count: versions } = await db
        .selectFrom('launchTemplateVersions')
        .select((eb) => eb.fn.countAll().as('count'))
        .where('account', '=', account)
        .executeTakeFirstOrThrow()
      return Number(versions)
    },
  }),
  writes: ({ db }: Session<Tables>) => ({
    /** `exists` when the account has a template with this name. */
    insertLaunchTemplate: (template: LaunchTemplate) =>
      insertOr('exists', db, 'launchTemplates', template),
    async updateLaunchTemplate(
      id: LaunchTemplateId,
      change: Partial<Pick<LaunchTemplate, 'defaultVersion' | 'latestVersion' | 'lastVersion'>>,
    ): Promise<void> {
      if (Object.keys(change).length === 0) return
      await db.updateTable('launchTemplates').set(change).where('id', '=', id).execute()
    },
    /** With all its versions. */
    async deleteLaunchTemplate(id: LaunchTemplateId): Promise<void> {
      await db.deleteFrom('launchTemplateVersions').where('template', '=', id).execute()
      await db.deleteFrom('launchTemplates').where('id', '=', id).execute()
    },
    /** `exists` when the template has a version with this number. */
    insertLaunchTemplateVersion: ({ data, ...version }: LaunchTemplateVersion) =>
      insertOr('exists', db, 'launchTemplateVersions', { ...version, data: JSON.stringify(data) }),
    async deleteLaunchTemplateVersion(template: LaunchTemplateId, version: number): Promise<void> {
      await db
        .deleteFrom('launchTemplateVersions')
        .where('template', '=', template)
        .where('version', '=', version)
        .execute()
    },
  }),
  // No host reads them.
  touches: {
    insertLaunchTemplate: nobody,
    updateLaunchTemplate: nobody,
    deleteLaunchTemplate: nobody,
    insertLaunchTemplateVersion: nobody,
    deleteLaunchTemplateVersion: nobody,
  },
  inCopy: {
    insertLaunchTemplate: async (tx, { id, account }) => hasId(tx.launchTemplates({ account }), id),
    updateLaunchTemplate: always,
    deleteLaunchTemplate: always,
    insertLaunchTemplateVersion: always,
    deleteLaunchTemplateVersion: always,
  },
})

function parseData(text: string): LaunchTemplateData | undefined {
  const parsed = parseJson(text)
  const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
  return isObject ? (parsed as LaunchTemplateData) : undefined
}

function fromRow({ data, ...version }: VersionRow): LaunchTemplateVersion {
  return { ...version, data: parseData(data) ?? {} }
}
