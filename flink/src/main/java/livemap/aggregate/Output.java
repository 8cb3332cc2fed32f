package livemap.aggregate;

/** One record of an output topic. */
public record Output(String topic, String key, String value) {}
