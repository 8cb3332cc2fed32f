package main

import (
	"errors"

	"livemap/kafka"
)

// kafkaFlags are the flags of everything that speaks Kafka.
type kafkaFlags struct {
	Kafka             []string `help:"Addresses of Kafka brokers, host:port." placeholder:"ADDR" required:""`
	KafkaTLSCA        string   `name:"kafka-tls-ca" help:"PEM file with the certificates that may sign the brokers' own; \"system\" for those of this machine. Turns TLS on." placeholder:"FILE"`
	KafkaTLSCert      string   `name:"kafka-tls-cert" help:"PEM file with our certificate." placeholder:"FILE"`
	KafkaTLSKey       string   `name:"kafka-tls-key" help:"PEM file with our key." placeholder:"FILE"`
	KafkaSASL         string   `name:"kafka-sasl" help:"SASL mechanism: plain, scram-sha-256, scram-sha-512 or oauthbearer." placeholder:"MECHANISM"`
	KafkaUser         string   `name:"kafka-user" help:"SASL user." placeholder:"NAME"`
	KafkaPasswordFile string   `name:"kafka-password-file" help:"File with the SASL password, or with the token of oauthbearer." placeholder:"FILE"`
}

// config returns the connection settings, to be validated with those of whoever
// uses them, so that all errors are told at once.
func (f kafkaFlags) config(e env) kafka.Config {
	return kafka.Config{
		Brokers:  f.Kafka,
		ClientID: "livemap",
		TLS:      kafka.TLS{CAFile: f.KafkaTLSCA, CertFile: f.KafkaTLSCert, KeyFile: f.KafkaTLSKey},
		SASL:     kafka.SASL{Mechanism: kafka.Mechanism(f.KafkaSASL), User: f.KafkaUser, PasswordFile: f.KafkaPasswordFile},
		Logger:   e.log,
		Metrics:  kafka.NewMetrics(),
	}
}

// kafkaError marks errors that a change of the configuration would mend.
func kafkaError(err error) error {
	if errors.Is(err, kafka.ErrWrongPolicy) {
		return usage(err)
	}
	return err
}
