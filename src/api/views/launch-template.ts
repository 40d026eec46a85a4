/** Launch templates in the SDK's terms, and the filters of their actions. Pure. */
import type {
  ResponseLaunchTemplateData,
  Tag as TagOutput,
  LaunchTemplate as TemplateOutput,
  LaunchTemplateVersion as VersionOutput,
} from '@aws-sdk/client-ec2'
import type { LaunchTemplate, LaunchTemplateVersion } from '../../model/launch-template.ts'
import type { FilterTable } from '../filters.ts'
import { tagged } from './tags.ts'

/** A template. */
export function templateView(template: LaunchTemplate, tags: TagOutput[]): TemplateOutput {
  return {
    LaunchTemplateId: template.id,
    LaunchTemplateName: template.name,
    CreateTime: new Date(template.createdAt),
    CreatedBy: template.createdBy,
    DefaultVersionNumber: template.defaultVersion,
    LatestVersionNumber: template.latestVersion,
    Operator: { Managed: false },
    ...tagged(tags),
  }
}

/** One version of a template. */
export function templateVersionView(
  { name, defaultVersion }: Pick<LaunchTemplate, 'name' | 'defaultVersion'>,
  version: LaunchTemplateVersion,
): VersionOutput {
  return {
    LaunchTemplateId: version.template,
    LaunchTemplateName: name,
    VersionNumber: version.version,
    ...(version.description === '' ? {} : { VersionDescription: version.description }),
    CreateTime: new Date(version.createdAt),
    CreatedBy: version.createdBy,
    DefaultVersion: version.version === defaultVersion,
    // As the client gave it. Requests and answers have the same members.
    LaunchTemplateData: version.data as ResponseLaunchTemplateData,
    Operator: { Managed: false },
  }
}

/**
 * Filters of DescribeLaunchTemplates.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLaunchTemplates.html
 */
export const TEMPLATE_FILTERS: FilterTable<TemplateOutput> = {
  'create-time': (template) => template.CreateTime,
  'launch-template-name': (template) => template.LaunchTemplateName,
}

type DataFilters = Readonly<
  Record<string, (data: ResponseLaunchTemplateData) => string | boolean | number | undefined>
>

const OF_DATA: DataFilters = {
  'ebs-optimized': (data) => data.EbsOptimized,
  'http-endpoint': (data) => data.MetadataOptions?.HttpEndpoint,
  'http-protocol-ipv4': (data) => data.MetadataOptions?.HttpEndpoint,
  'http-tokens': (data) => data.MetadataOptions?.HttpTokens,
  'iam-instance-profile': (data) => data.IamInstanceProfile?.Arn ?? data.IamInstanceProfile?.Name,
  'image-id': (data) => data.ImageId,
  'instance-type': (data) => data.InstanceType,
}

/**
 * Filters of DescribeLaunchTemplateVersions.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLaunchTemplateVersions.html
 */
export const VERSION_FILTERS: FilterTable<VersionOutput> = {
  'create-time': (version) => version.CreateTime,
  'is-default-version': (version) => version.DefaultVersion,
  'network-card-index': (version) =>
    (version.LaunchTemplateData?.NetworkInterfaces ?? []).map((nic) => nic.NetworkCardIndex),
  ...Object.fromEntries(
    Object.entries(OF_DATA).map(([name, read]) => [
      name,
      (version: VersionOutput) =>
        version.LaunchTemplateData === undefined ? undefined : read(version.LaunchTemplateData),
    ]),
  ),
}
