package livemap.flink;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimiterStrategy;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.DeploymentOptions;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.Schema;
import org.apache.flink.table.api.StatementSet;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.TableResult;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.table.data.RowData;

/**
 * Runs the job: makes the topics that are missing, fills in job.sql, and waits for the end unless it is told
 * otherwise (-Dlivemap.detached=true). Exit codes: 0 ended or handed over, 1 failed while running, 2 wrong
 * settings. A statement that fails is never passed over.
 */
public final class Job {
    private static final double TICKS_PER_SECOND = 10;
    private static final String DETACHED = "livemap.detached";

    private Job() {}

    public static void main(String[] args) throws Exception {
        // Within a cluster (application mode) the process is Flink's to end.
        boolean ours = Boolean.getBoolean("livemap.cli");
        Map<String, String> flink = new TreeMap<>();
        try {
            run(JobSettings.parse(args, flink), flink);
        } catch (IllegalArgumentException e) {
            fail(ours, e, 2);
        } catch (Exception e) {
            fail(ours, e, 1);
        }
        if (ours) {
            System.exit(0); // Flink leaves threads behind
        }
    }

    private static void fail(boolean ours, Exception e, int code) throws Exception {
        if (!ours) {
            throw e;
        }
        if (code == 2) {
            System.err.println(e.getMessage());
        } else {
            e.printStackTrace();
        }
        System.exit(code);
    }

    private static void run(JobSettings settings, Map<String, String> flink) throws Exception {
        Topics.ensure(settings);
        boolean detached = Boolean.parseBoolean(flink.remove(DETACHED));
        Configuration conf = new Configuration();
        defaults().forEach(conf::setString);
        flink.forEach(conf::setString);
        conf.set(PipelineOptions.GLOBAL_JOB_PARAMETERS, settings.asJobParameters());
        StreamExecutionEnvironment env = conf.contains(DeploymentOptions.TARGET)
                ? new StreamExecutionEnvironment(conf) // handed over to a cluster
                : StreamExecutionEnvironment.getExecutionEnvironment(conf);
        TableResult result = begin(env, settings, conf.getString("execution.state-recovery.path", ""));
        System.out.println("livemap: job " + result.getJobClient().orElseThrow().getJobID() + " runs");
        if (!detached) {
            result.await();
        }
    }

    private static TableResult begin(StreamExecutionEnvironment env, JobSettings settings, String from) throws Exception {
        try {
            return submit(env, settings);
        } catch (Exception e) {
            if (from.isEmpty()) {
                throw e;
            }
            throw new IllegalStateException("the job cannot go on from " + from + ": if that is not whole or was written by another version,"
                    + " take an older checkpoint or a savepoint, or none to begin all figures anew", e);
        }
    }

    /** What -D does not say. A checkpoint a second is what the exactly-once topics wait for. */
    private static Map<String, String> defaults() {
        return Map.ofEntries(
                Map.entry("pipeline.name", "livemap"),
                Map.entry("execution.checkpointing.interval", "1 s"),
                Map.entry("execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION"),
                Map.entry("execution.checkpointing.num-retained", "3"),
                Map.entry("execution.checkpointing.min-pause", "500 ms"),
                Map.entry("state.backend.type", "hashmap"),
                Map.entry("restart-strategy.type", "exponential-delay"),
                Map.entry("restart-strategy.exponential-delay.max-backoff", "10 s"),
                Map.entry("restart-strategy.exponential-delay.attempts-before-reset-backoff", "20"),
                Map.entry("execution.buffer-timeout.interval", "20 ms"),
                Map.entry("pipeline.object-reuse", "true"),
                Map.entry("table.exec.state.ttl", "0"),
                // Otherwise which state belongs to which operator depends on how many tasks there are.
                Map.entry("table.exec.uid.generation", "ALWAYS"));
    }

    private static TableResult submit(StreamExecutionEnvironment env, JobSettings settings) throws IOException {
        StreamTableEnvironment tables = StreamTableEnvironment.create(env);
        tables.createTemporarySystemFunction("FIGURES", Figures.class);
        DataStream<Long> ticks = env.fromSource(
                new DataGeneratorSource<>(n -> n, Long.MAX_VALUE, RateLimiterStrategy.perSecond(TICKS_PER_SECOND), Types.LONG),
                WatermarkStrategy.noWatermarks(), "ticks").setParallelism(1).uid("ticks");
        tables.createTemporaryView("ticks", ticks);
        StatementSet inserts = tables.createStatementSet();
        for (String statement : statements(fill(script(), settings))) {
            if (statement.toUpperCase(Locale.ROOT).startsWith("INSERT")) {
                inserts.addInsertSql(statement);
                continue;
            }
            tables.executeSql(statement);
            if (statement.contains("VIEW records")) {
                tables.createTemporaryView("batches", decode(tables, settings), Schema.newBuilder().column("f0", "BYTES").column("f1", "BYTES").build());
            }
        }
        return inserts.execute();
    }

    /** Puts the decoder behind the records, in their own tasks. */
    private static DataStream<RowData> decode(StreamTableEnvironment tables, JobSettings settings) {
        Table records = tables.from("records");
        DataStream<RowData> rows = tables.toDataStream(records, records.getResolvedSchema().toPhysicalRowDataType().bridgedTo(RowData.class));
        return rows.transform("decode", Decode.type(), new Decode(settings)).uid("decode");
    }

    private static String script() throws IOException {
        try (InputStream in = Job.class.getResourceAsStream("/job.sql")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private static String fill(String script, JobSettings settings) {
        Properties kafka = settings.properties();
        List<String> options = new ArrayList<>();
        for (String name : kafka.stringPropertyNames()) {
            options.add("'properties." + quoted(name) + "' = '" + quoted(kafka.getProperty(name)) + "'");
        }
        return script.replace("${kafka}", String.join(", ", options)).replace("${prefix}", settings.get("topic-prefix"));
    }

    private static String quoted(String s) {
        return s.replace("'", "''");
    }

    /** Splits a script at its semicolons, those in quotes and comments aside. */
    static List<String> statements(String script) {
        List<String> list = new ArrayList<>();
        StringBuilder b = new StringBuilder();
        boolean quotes = false;
        for (int i = 0; i < script.length(); i++) {
            char c = script.charAt(i);
            if (!quotes && script.startsWith("--", i)) {
                i = script.indexOf('\n', i);
                b.append('\n');
            } else if (!quotes && c == ';') {
                list.add(b.toString().strip());
                b.setLength(0);
            } else {
                quotes ^= c == '\'';
                b.append(c);
            }
        }
        if (!b.toString().isBlank()) {
            list.add(b.toString().strip());
        }
        return list;
    }
}
