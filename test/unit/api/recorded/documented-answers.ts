/**
 * Answers as the "Sample Response" of each action's page in the EC2 API reference has them, by
 * action; lists are cut to one item.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Operations.html
 */

const change = (current: string, previous: string): string => `
  <instancesSet>
    <item>
      <instanceId>i-1234567890abcdef0</instanceId>
      <currentState><code>64</code><name>${current}</name></currentState>
      <previousState><code>16</code><name>${previous}</name></previousState>
    </item>
  </instancesSet>`

const tags = '<tagSet><item><key>Name</key><value>Server_1</value></item></tagSet>'

const instance = `
  <instanceId>i-1234567890abcdef0</instanceId>
  <imageId>ami-bff32ccc</imageId>
  <instanceState><code>16</code><name>running</name></instanceState>
  <privateDnsName>ip-192-168-1-88.eu-west-1.compute.internal</privateDnsName>
  <dnsName>ec2-54-194-252-215.eu-west-1.compute.amazonaws.com</dnsName>
  <reason/>
  <keyName>my_keypair</keyName>
  <amiLaunchIndex>0</amiLaunchIndex>
  <productCodes/>
  <instanceType>t2.micro</instanceType>
  <launchTime>2018-05-08T16:46:19.000Z</launchTime>
  <placement>
    <availabilityZone>eu-west-1c</availabilityZone><groupName/><tenancy>default</tenancy>
  </placement>
  <monitoring><state>disabled</state></monitoring>
  <subnetId>subnet-56f5f633</subnetId>
  <vpcId>vpc-11112222</vpcId>
  <privateIpAddress>192.168.1.88</privateIpAddress>
  <ipAddress>54.194.252.215</ipAddress>
  <sourceDestCheck>true</sourceDestCheck>
  <groupSet><item><groupId>sg-e4076980</groupId><groupName>SecurityGroup1</groupName></item></groupSet>
  <architecture>x86_64</architecture>
  <rootDeviceType>ebs</rootDeviceType>
  <rootDeviceName>/dev/xvda</rootDeviceName>
  <blockDeviceMapping>
    <item>
      <deviceName>/dev/xvda</deviceName>
      <ebs>
        <volumeId>vol-1234567890abcdef0</volumeId>
        <status>attached</status>
        <attachTime>2015-12-22T10:44:09.000Z</attachTime>
        <deleteOnTermination>true</deleteOnTermination>
      </ebs>
    </item>
  </blockDeviceMapping>
  <virtualizationType>hvm</virtualizationType>
  <clientToken>xMcwG14507example</clientToken>
  ${tags}
  <hypervisor>xen</hypervisor>
  <networkInterfaceSet>
    <item>
      <networkInterfaceId>eni-551ba033</networkInterfaceId>
      <subnetId>subnet-56f5f633</subnetId>
      <vpcId>vpc-11112222</vpcId>
      <description>Primary network interface</description>
      <ownerId>123456789012</ownerId>
      <status>in-use</status>
      <macAddress>02:dd:2c:5e:01:69</macAddress>
      <privateIpAddress>192.168.1.88</privateIpAddress>
      <privateDnsName>ip-192-168-1-88.eu-west-1.compute.internal</privateDnsName>
      <sourceDestCheck>true</sourceDestCheck>
      <groupSet>
        <item><groupId>sg-e4076980</groupId><groupName>SecurityGroup1</groupName></item>
      </groupSet>
      <attachment>
        <attachmentId>eni-attach-39697adc</attachmentId>
        <deviceIndex>0</deviceIndex>
        <status>attached</status>
        <attachTime>2018-05-08T16:46:19.000Z</attachTime>
        <deleteOnTermination>true</deleteOnTermination>
      </attachment>
      <association>
        <publicIp>54.194.252.215</publicIp>
        <publicDnsName>ec2-54-194-252-215.eu-west-1.compute.amazonaws.com</publicDnsName>
        <ipOwnerId>amazon</ipOwnerId>
      </association>
      <privateIpAddressesSet>
        <item>
          <privateIpAddress>192.168.1.88</privateIpAddress>
          <privateDnsName>ip-192-168-1-88.eu-west-1.compute.internal</privateDnsName>
          <primary>true</primary>
          <association>
            <publicIp>54.194.252.215</publicIp>
            <publicDnsName>ec2-54-194-252-215.eu-west-1.compute.amazonaws.com</publicDnsName>
            <ipOwnerId>amazon</ipOwnerId>
          </association>
        </item>
      </privateIpAddressesSet>
      <ipv6AddressesSet><item><ipv6Address>2001:db8:1234:1a2b::123</ipv6Address></item></ipv6AddressesSet>
    </item>
  </networkInterfaceSet>
  <iamInstanceProfile>
    <arn>arn:aws:iam::123456789012:instance-profile/AdminRole</arn><id>ABCAJEDNCAA64SSD123AB</id>
  </iamInstanceProfile>
  <ebsOptimized>false</ebsOptimized>
  <cpuOptions><coreCount>1</coreCount><threadsPerCore>1</threadsPerCore></cpuOptions>`

const reservation = (instances: string): string => `
  <reservationId>r-1234567890abcdef0</reservationId>
  <ownerId>123456789012</ownerId>
  <groupSet/>
  <instancesSet>${instances}</instancesSet>`

const status = (name: string): string => `
  <${name}>
    <status>impaired</status>
    <details>
      <item>
        <name>reachability</name>
        <status>failed</status>
        <impairedSince>2018-05-08T16:46:19.000Z</impairedSince>
      </item>
    </details>
  </${name}>`

const rules = `
  <item>
    <ipProtocol>tcp</ipProtocol>
    <fromPort>80</fromPort>
    <toPort>80</toPort>
    <groups><item><userId>123456789012</userId><groupId>sg-1a2b3c4d</groupId></item></groups>
    <ipRanges><item><cidrIp>0.0.0.0/0</cidrIp><description>web</description></item></ipRanges>
    <ipv6Ranges/>
    <prefixListIds/>
  </item>`

/** What is between `requestId` and the end of the answer. */
export const DOCUMENTED_ANSWERS: Readonly<Record<string, string>> = {
  StartInstances: change('pending', 'stopped'),
  StopInstances: change('stopping', 'running'),
  TerminateInstances: change('shutting-down', 'running'),
  RunInstances: reservation(`<item>${instance}</item>`),
  DescribeInstances: `
    <reservationSet><item>${reservation(`<item>${instance}</item>`)}</item></reservationSet>
    <nextToken>next</nextToken>`,
  DescribeInstanceStatus: `
    <instanceStatusSet>
      <item>
        <instanceId>i-1234567890abcdef0</instanceId>
        <availabilityZone>us-east-1d</availabilityZone>
        <instanceState><code>16</code><name>running</name></instanceState>
        ${status('systemStatus')}
        ${status('instanceStatus')}
        <eventsSet>
          <item>
            <instanceEventId>instance-event-0d59937288b749b32</instanceEventId>
            <code>instance-retirement</code>
            <description>The instance is running on degraded hardware</description>
            <notBefore>2018-05-08T16:46:19.000Z</notBefore>
            <notAfter>2018-05-08T16:46:19.000Z</notAfter>
          </item>
        </eventsSet>
      </item>
    </instanceStatusSet>
    <nextToken>next</nextToken>`,
  GetConsoleOutput: `
    <instanceId>i-1234567890abcdef0</instanceId>
    <timestamp>2010-10-14T01:12:41.000Z</timestamp>
    <output>TGludXg=</output>`,
  DescribeImages: `
    <imagesSet>
      <item>
        <imageId>ami-1a2b3c4d</imageId>
        <imageLocation>123456789012/my-image</imageLocation>
        <imageState>available</imageState>
        <imageOwnerId>123456789012</imageOwnerId>
        <creationDate>2018-05-08T16:46:19.000Z</creationDate>
        <isPublic>true</isPublic>
        <architecture>x86_64</architecture>
        <imageType>machine</imageType>
        <kernelId>aki-88aa75e1</kernelId>
        <platform>windows</platform>
        <imageOwnerAlias>amazon</imageOwnerAlias>
        <name>image-name</name>
        <description>image-description</description>
        <rootDeviceType>ebs</rootDeviceType>
        <rootDeviceName>/dev/sda</rootDeviceName>
        <blockDeviceMapping>
          <item>
            <deviceName>/dev/sda1</deviceName>
            <ebs>
              <snapshotId>snap-1234567890abcdef0</snapshotId>
              <volumeSize>15</volumeSize>
              <deleteOnTermination>false</deleteOnTermination>
              <volumeType>standard</volumeType>
            </ebs>
          </item>
        </blockDeviceMapping>
        <virtualizationType>paravirtual</virtualizationType>
        ${tags}
        <hypervisor>xen</hypervisor>
      </item>
    </imagesSet>`,
  DescribeVolumes: `
    <volumeSet>
      <item>
        <volumeId>vol-1234567890abcdef0</volumeId>
        <size>80</size>
        <snapshotId/>
        <availabilityZone>us-east-1a</availabilityZone>
        <status>in-use</status>
        <createTime>2018-05-08T16:46:19.000Z</createTime>
        <attachmentSet>
          <item>
            <volumeId>vol-1234567890abcdef0</volumeId>
            <instanceId>i-1234567890abcdef0</instanceId>
            <device>/dev/sdh</device>
            <status>attached</status>
            <attachTime>2018-05-08T16:46:19.000Z</attachTime>
            <deleteOnTermination>false</deleteOnTermination>
          </item>
        </attachmentSet>
        <volumeType>standard</volumeType>
        <encrypted>true</encrypted>
        <multiAttachEnabled>false</multiAttachEnabled>
      </item>
    </volumeSet>`,
  DescribeVpcs: `
    <vpcSet>
      <item>
        <vpcId>vpc-081ec835f3EXAMPLE</vpcId>
        <ownerId>123456789012</ownerId>
        <state>available</state>
        <cidrBlock>10.0.0.0/23</cidrBlock>
        <cidrBlockAssociationSet>
          <item>
            <cidrBlock>10.0.0.0/23</cidrBlock>
            <associationId>vpc-cidr-assoc-12345678</associationId>
            <cidrBlockState><state>associated</state></cidrBlockState>
          </item>
        </cidrBlockAssociationSet>
        <dhcpOptionsId>dopt-7a8b9c2d</dhcpOptionsId>
        <instanceTenancy>default</instanceTenancy>
        <isDefault>false</isDefault>
      </item>
    </vpcSet>`,
  DescribeSubnets: `
    <subnetSet>
      <item>
        <subnetId>subnet-9d4a7b6c</subnetId>
        <state>available</state>
        <vpcId>vpc-1a2b3c4d</vpcId>
        <cidrBlock>10.0.1.0/24</cidrBlock>
        <ipv6CidrBlockAssociationSet/>
        <availableIpAddressCount>251</availableIpAddressCount>
        <availabilityZone>us-east-1a</availabilityZone>
        <defaultForAz>false</defaultForAz>
        <mapPublicIpOnLaunch>false</mapPublicIpOnLaunch>
        <assignIpv6AddressOnCreation>false</assignIpv6AddressOnCreation>
        ${tags}
      </item>
    </subnetSet>`,
  DescribeSecurityGroups: `
    <securityGroupInfo>
      <item>
        <ownerId>123456789012</ownerId>
        <groupId>sg-9bf6ceff</groupId>
        <groupName>WebServers</groupName>
        <groupDescription>Web Servers</groupDescription>
        <vpcId>vpc-31896b55</vpcId>
        <ipPermissions>${rules}</ipPermissions>
        <ipPermissionsEgress/>
      </item>
    </securityGroupInfo>`,
  CreateKeyPair: `
    <keyName>my-key-pair</keyName>
    <keyFingerprint>1f:51:ae:28:bf:89:e9:d8</keyFingerprint>
    <keyMaterial>---- BEGIN RSA PRIVATE KEY ----</keyMaterial>`,
  ImportKeyPair: `
    <keyName>gsg-keypair</keyName>
    <keyFingerprint>00:00:00:00:00:00:00:00</keyFingerprint>`,
  DescribeKeyPairs: `
    <keySet>
      <item>
        <keyName>my-key-pair</keyName>
        <keyFingerprint>1f:51:ae:28:bf:89:e9:d8</keyFingerprint>
      </item>
    </keySet>`,
  DescribeTags: `
    <tagSet>
      <item>
        <resourceId>i-1234567890abcdef0</resourceId>
        <resourceType>instance</resourceType>
        <key>webserver</key>
        <value/>
      </item>
    </tagSet>
    <nextToken>next</nextToken>`,
  DescribeRegions: `
    <regionInfo>
      <item>
        <regionName>us-east-1</regionName>
        <regionEndpoint>ec2.us-east-1.amazonaws.com</regionEndpoint>
        <optInStatus>opt-in-not-required</optInStatus>
      </item>
    </regionInfo>`,
  DescribeAvailabilityZones: `
    <availabilityZoneInfo>
      <item>
        <zoneName>us-east-1a</zoneName>
        <zoneState>available</zoneState>
        <regionName>us-east-1</regionName>
        <messageSet/>
      </item>
    </availabilityZoneInfo>`,
  DescribeAccountAttributes: `
    <accountAttributeSet>
      <item>
        <attributeName>vpc-max-security-groups-per-interface</attributeName>
        <attributeValueSet><item><attributeValue>5</attributeValue></item></attributeValueSet>
      </item>
    </accountAttributeSet>`,
  DescribeAddresses: `
    <addressesSet>
      <item>
        <publicIp>46.51.219.63</publicIp>
        <allocationId>eipalloc-08229861</allocationId>
        <domain>vpc</domain>
        <instanceId>i-0598c7d356eba48d7</instanceId>
        <associationId>eipassoc-f0229899</associationId>
        <networkInterfaceId>eni-ef229886</networkInterfaceId>
        <networkInterfaceOwnerId>053230519467</networkInterfaceOwnerId>
        <privateIpAddress>10.0.0.228</privateIpAddress>
      </item>
    </addressesSet>`,
  DescribeNetworkInterfaces: `
    <networkInterfaceSet>
      <item>
        <networkInterfaceId>eni-0f62d866</networkInterfaceId>
        <subnetId>subnet-c53c87ac</subnetId>
        <vpcId>vpc-cc3c87a5</vpcId>
        <availabilityZone>ap-southeast-1b</availabilityZone>
        <description/>
        <ownerId>053230519467</ownerId>
        <requesterManaged>false</requesterManaged>
        <status>in-use</status>
        <macAddress>02:81:60:cb:27:37</macAddress>
        <privateIpAddress>10.0.0.146</privateIpAddress>
        <sourceDestCheck>true</sourceDestCheck>
        <groupSet><item><groupId>sg-3f4b5653</groupId><groupName>default</groupName></item></groupSet>
        <attachment>
          <attachmentId>eni-attach-6537fc0c</attachmentId>
          <instanceId>i-1234567890abcdef0</instanceId>
          <instanceOwnerId>053230519467</instanceOwnerId>
          <deviceIndex>0</deviceIndex>
          <status>attached</status>
          <attachTime>2012-07-01T21:45:27.000Z</attachTime>
          <deleteOnTermination>true</deleteOnTermination>
        </attachment>
        <tagSet/>
        <privateIpAddressesSet>
          <item><privateIpAddress>10.0.0.146</privateIpAddress><primary>true</primary></item>
        </privateIpAddressesSet>
        <ipv6AddressesSet/>
      </item>
    </networkInterfaceSet>`,
  DescribeRouteTables: `
    <routeTableSet>
      <item>
        <routeTableId>rtb-13ad487a</routeTableId>
        <vpcId>vpc-11ad4878</vpcId>
        <routeSet>
          <item>
            <destinationCidrBlock>10.0.0.0/22</destinationCidrBlock>
            <gatewayId>local</gatewayId>
            <state>active</state>
            <origin>CreateRouteTable</origin>
          </item>
        </routeSet>
        <associationSet>
          <item>
            <routeTableAssociationId>rtbassoc-12ad487b</routeTableAssociationId>
            <routeTableId>rtb-13ad487a</routeTableId>
            <main>true</main>
          </item>
        </associationSet>
        <tagSet/>
      </item>
    </routeTableSet>`,
  DescribeNetworkAcls: `
    <networkAclSet>
      <item>
        <networkAclId>acl-5566953c</networkAclId>
        <vpcId>vpc-5266953b</vpcId>
        <default>true</default>
        <entrySet>
          <item>
            <ruleNumber>100</ruleNumber>
            <protocol>all</protocol>
            <ruleAction>allow</ruleAction>
            <egress>true</egress>
            <cidrBlock>0.0.0.0/0</cidrBlock>
          </item>
        </entrySet>
        <associationSet>
          <item>
            <networkAclAssociationId>aclassoc-5c659635</networkAclAssociationId>
            <networkAclId>acl-5d659634</networkAclId>
            <subnetId>subnet-ff669596</subnetId>
          </item>
        </associationSet>
        <tagSet/>
      </item>
    </networkAclSet>`,
  DescribeInternetGateways: `
    <internetGatewaySet>
      <item>
        <internetGatewayId>igw-eaad4883EXAMPLE</internetGatewayId>
        <attachmentSet><item><vpcId>vpc-11ad4878</vpcId><state>available</state></item></attachmentSet>
        <tagSet/>
      </item>
    </internetGatewaySet>`,
  DescribeDhcpOptions: `
    <dhcpOptionsSet>
      <item>
        <dhcpOptionsId>dopt-7a8b9c2d</dhcpOptionsId>
        <dhcpConfigurationSet>
          <item>
            <key>domain-name</key>
            <valueSet><item><value>example.com</value></item></valueSet>
          </item>
        </dhcpConfigurationSet>
        <tagSet/>
      </item>
    </dhcpOptionsSet>`,
  DescribeInstanceAttribute: `
    <instanceId>i-1234567890abcdef0</instanceId>
    <kernel><value>aki-f70657b2</value></kernel>`,
  DescribeImageAttribute: `
    <imageId>ami-61a54008</imageId>
    <launchPermission><item><userId>495219933132</userId></item></launchPermission>`,
  DescribeVpcAttribute: `
    <vpcId>vpc-1a2b3c4d</vpcId>
    <enableDnsSupport><value>true</value></enableDnsSupport>`,
  DescribeVpcClassicLink: `
    <vpcSet>
      <item><vpcId>vpc-88888888</vpcId><classicLinkEnabled>true</classicLinkEnabled></item>
    </vpcSet>`,
  DescribeVolumeAttribute: `
    <volumeId>vol-12345678</volumeId>
    <autoEnableIO><value>false</value></autoEnableIO>`,
}
