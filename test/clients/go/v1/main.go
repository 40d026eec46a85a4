// Makes, uses and removes an instance and its network with the AWS SDK for Go. Prints what each step
// said (null: it did what it should). Arguments: the API's address, and an image.
package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/ec2"
	"github.com/aws/aws-sdk-go/service/iam"
	"github.com/aws/aws-sdk-go/service/sts"
)

var rows [][2]*string

func step(what string, work func() error) {
	row := [2]*string{&what, nil}
	if err := work(); err != nil {
		said := err.Error()
		row[1] = &said
	}
	rows = append(rows, row)
}

func expect(ok bool, found interface{}) error {
	if ok {
		return nil
	}
	return fmt.Errorf("it says %v", found)
}

// The first error of several calls.
func all(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func second(_ interface{}, err error) error { return err }

func refused(err error, code string) error {
	var failed awserr.Error
	if errors.As(err, &failed) && failed.Code() == code {
		return nil
	}
	return fmt.Errorf("not %s: %v", code, err)
}

func main() {
	endpoint, image := os.Args[1], aws.String(os.Args[2])
	here := session.Must(session.NewSession(&aws.Config{Endpoint: &endpoint}))
	client := ec2.New(here)
	var vpc, subnet, group, instance *string

	step("sts: GetCallerIdentity", func() error {
		return second(sts.New(here).GetCallerIdentity(&sts.GetCallerIdentityInput{}))
	})
	step("regions, zones, types", func() error {
		count := 0
		err := client.DescribeInstanceTypesPages(&ec2.DescribeInstanceTypesInput{MaxResults: aws.Int64(5)},
			func(page *ec2.DescribeInstanceTypesOutput, last bool) bool {
				count += len(page.InstanceTypes)
				return true
			})
		return all(
			second(client.DescribeRegions(&ec2.DescribeRegionsInput{})),
			second(client.DescribeAvailabilityZones(&ec2.DescribeAvailabilityZonesInput{})),
			err, expect(count > 5, count))
	})
	step("key pairs", func() error {
		name := aws.String("go1")
		return all(
			second(client.CreateKeyPair(&ec2.CreateKeyPairInput{KeyName: name})),
			client.WaitUntilKeyPairExists(&ec2.DescribeKeyPairsInput{KeyNames: []*string{name}}))
	})
	step("networks", func() error {
		made, err := client.CreateVpc(&ec2.CreateVpcInput{CidrBlock: aws.String("10.44.0.0/16")})
		if err != nil {
			return err
		}
		vpc = made.Vpc.VpcId
		err = client.WaitUntilVpcAvailable(&ec2.DescribeVpcsInput{VpcIds: []*string{vpc}})
		if err != nil {
			return err
		}
		part, err := client.CreateSubnet(&ec2.CreateSubnetInput{VpcId: vpc, CidrBlock: aws.String("10.44.1.0/24")})
		if err != nil {
			return err
		}
		subnet = part.Subnet.SubnetId
		return client.WaitUntilSubnetAvailable(&ec2.DescribeSubnetsInput{SubnetIds: []*string{subnet}})
	})
	step("security groups", func() error {
		made, err := client.CreateSecurityGroup(&ec2.CreateSecurityGroupInput{
			GroupName: aws.String("go"), Description: aws.String("go"), VpcId: vpc})
		if err != nil {
			return err
		}
		group = made.GroupId
		allow := &ec2.AuthorizeSecurityGroupIngressInput{GroupId: group, IpPermissions: []*ec2.IpPermission{{
			IpProtocol: aws.String("tcp"), FromPort: aws.Int64(22), ToPort: aws.Int64(22),
			IpRanges: []*ec2.IpRange{{CidrIp: aws.String("192.0.2.0/24"), Description: aws.String("ssh")}}}}}
		err = second(client.AuthorizeSecurityGroupIngress(allow))
		_, again := client.AuthorizeSecurityGroupIngress(allow)
		return all(err, refused(again, "InvalidPermission.Duplicate"),
			client.WaitUntilSecurityGroupExists(&ec2.DescribeSecurityGroupsInput{GroupIds: []*string{group}}))
	})
	step("instances: launch, wait, status", func() error {
		order := &ec2.RunInstancesInput{
			ImageId: image, InstanceType: aws.String("t3.micro"), MinCount: aws.Int64(1), MaxCount: aws.Int64(1),
			KeyName: aws.String("go1"), SubnetId: subnet, SecurityGroupIds: []*string{group},
			UserData: aws.String(base64.StdEncoding.EncodeToString([]byte("#!/bin/sh\n"))),
			TagSpecifications: []*ec2.TagSpecification{{ResourceType: aws.String("instance"),
				Tags: []*ec2.Tag{{Key: aws.String("Name"), Value: aws.String("go1")}}}}}
		order.DryRun = aws.Bool(true)
		_, dry := client.RunInstances(order)
		order.DryRun = nil
		made, err := client.RunInstances(order)
		if err != nil {
			return err
		}
		instance = made.Instances[0].InstanceId
		one := []*string{instance}
		return all(refused(dry, "DryRunOperation"),
			client.WaitUntilInstanceExists(&ec2.DescribeInstancesInput{InstanceIds: one}),
			client.WaitUntilInstanceRunning(&ec2.DescribeInstancesInput{InstanceIds: one}),
			client.WaitUntilInstanceStatusOk(&ec2.DescribeInstanceStatusInput{InstanceIds: one}))
	})
	step("instances: filters and pages", func() error {
		found := []string{}
		err := client.DescribeInstancesPages(&ec2.DescribeInstancesInput{MaxResults: aws.Int64(5), Filters: []*ec2.Filter{
			{Name: aws.String("tag:Name"), Values: []*string{aws.String("go*")}}}},
			func(page *ec2.DescribeInstancesOutput, last bool) bool {
				for _, reservation := range page.Reservations {
					for _, one := range reservation.Instances {
						found = append(found, *one.InstanceId)
					}
				}
				return true
			})
		return all(err, expect(strings.Join(found, " ") == *instance, found))
	})
	step("errors", func() error {
		_, missing := client.DescribeInstances(&ec2.DescribeInstancesInput{InstanceIds: []*string{aws.String("i-0123456789abcdef0")}})
		_, user := iam.New(here).GetUser(&iam.GetUserInput{UserName: aws.String("nobody")})
		return all(refused(missing, "InvalidInstanceID.NotFound"), refused(user, "NoSuchEntity"))
	})
	step("instances: stop, terminate", func() error {
		one := []*string{instance}
		return all(
			second(client.StopInstances(&ec2.StopInstancesInput{InstanceIds: one})),
			client.WaitUntilInstanceStopped(&ec2.DescribeInstancesInput{InstanceIds: one}),
			second(client.TerminateInstances(&ec2.TerminateInstancesInput{InstanceIds: one})),
			client.WaitUntilInstanceTerminated(&ec2.DescribeInstancesInput{InstanceIds: one}))
	})
	step("everything is removed", func() error {
		return all(
			second(client.DeleteSecurityGroup(&ec2.DeleteSecurityGroupInput{GroupId: group})),
			second(client.DeleteSubnet(&ec2.DeleteSubnetInput{SubnetId: subnet})),
			second(client.DeleteVpc(&ec2.DeleteVpcInput{VpcId: vpc})),
			second(client.DeleteKeyPair(&ec2.DeleteKeyPairInput{KeyName: aws.String("go1")})))
	})
	_ = json.NewEncoder(os.Stdout).Encode(rows)
}
