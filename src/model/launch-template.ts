/** Launch templates: the parameters of launches, kept in numbered versions. Pure. */
import type { AccountId, LaunchTemplateId } from './ids.ts'

/** A launch template. Its parameters are in its versions. */
export interface LaunchTemplate {
  readonly id: LaunchTemplateId
  readonly account: AccountId
  /** Unique in its account. */
  readonly name: string
  readonly createdAt: string
  /** ARN of the user who made it. */
  readonly createdBy: string
  readonly defaultVersion: number
  /** The highest number that is still there. */
  readonly latestVersion: number
  /** The highest number that was ever used. A number is never used again. */
  readonly lastVersion: number
}

/** One version of a launch template. It never changes. */
export interface LaunchTemplateVersion {
  readonly template: LaunchTemplateId
  /** From 1. */
  readonly version: number
  readonly account: AccountId
  /** What the request that made it is known by, for a repetition of that request. */
  readonly request: string
  readonly description: string
  readonly createdAt: string
  readonly createdBy: string
  /** Parameters of RunInstances with the names of the SDK, as the client gave them. */
  readonly data: LaunchTemplateData
}

/** Members as `RequestLaunchTemplateData` has them. */
export type LaunchTemplateData = Readonly<Record<string, unknown>>

/** Longest JSON of a version's parameters, in bytes of UTF-8. The column holds 64 KiB. */
export const TEMPLATE_DATA_MAX_BYTES = 60_000

/**
 * EC2's rule for names: 3 to 128 of these characters.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplate.html
 */
export const TEMPLATE_NAME = /^[a-zA-Z0-9()./_-]{3,128}$/
