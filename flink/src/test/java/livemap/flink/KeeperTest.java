package livemap.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import livemap.aggregate.Classification;
import livemap.aggregate.Entry;
import livemap.aggregate.Output;
import livemap.aggregate.Settings;
import livemap.orders.Bytes;
import livemap.orders.OrderDecoder;
import livemap.orders.Times;
import org.apache.flink.table.api.dataview.ListView;
import org.apache.flink.table.api.dataview.MapView;
import org.junit.jupiter.api.Test;

/** What goes out must not depend on restarts, wherever they fall. */
class KeeperTest {
    private static final long START = Times.parse("2026-01-05T00:00:00Z");
    private static final int PARTITIONS = 3;
    private static final Classification PRODUCTS = new Classification.Builder()
            .add("p1", "One & <only>", "A", 0).add("p2", null, "B", 0).add("p2", "Two", "C", START + 300_000).build();

    private static Settings settings(int maxPairs) {
        return new Settings("USD", 2000, 60_000, 5000, START, Settings.EARLY_INTERVAL, Settings.TREND_INTERVAL, maxPairs, Settings.MAX_PRODUCT_CELLS);
    }

    /** Flink's state as it would be after a checkpoint. */
    private record State(ListView<byte[]> journal, MapView<Integer, byte[]> snapshot) {
        State() {
            this(new ListView<>(), new MapView<>());
        }

        State copy() {
            State s = new State();
            s.journal.setList(new ArrayList<>(journal.getList()));
            s.snapshot.setMap(new HashMap<>(snapshot.getMap()));
            return s;
        }
    }

    private static byte[] order(Random random, int n) throws Exception {
        long at = START + n * 50L - (random.nextInt(50) == 0 ? random.nextInt(90_000) : random.nextInt(1500));
        String country = "CA DE JP KE".split(" ")[random.nextInt(4)];
        String json = "{\"v\":1,\"id\":\"" + (random.nextInt(100) == 0 ? n - 1 : n) + "\",\"at\":\"" + Times.format(at) + "\",\"shop\":\"s\",\"shopper\":\"c"
                + random.nextInt(500) + "\",\"currency\":\"USD\",\"amount\":" + random.nextInt(10_000) + ",\"lines\":[{\"product\":\"p" + random.nextInt(6)
                + "\",\"units\":" + random.nextInt(4) + ",\"amount\":5}],\"from\":{\"city\":\"Zürich\",\"country\":\"CH\",\"lat\":47.4,\"lon\":8.5},\"to\":{\"country\":\""
                + country + "\",\"lat\":" + random.nextInt(80) + ".5,\"lon\":-" + random.nextInt(170) + "},\"mass_g\":700}";
        Bytes batch = new Bytes(160).writeByte(Decode.ENTRY);
        Entry.of(OrderDecoder.decode(json.getBytes(StandardCharsets.UTF_8)), n % PARTITIONS, n, 7).encode(batch);
        return batch.toArray();
    }

    private static void hand(Keeper keeper, byte[] entries, State state) throws Exception {
        for (ByteBuffer batch = keeper.batch(entries, state.journal); batch.hasRemaining(); ) {
            keeper.next(batch);
        }
    }

    /** Plays the same orders and ticks, restarting before some of them. */
    private static List<Output> play(int orders, int maxPairs, boolean restarts) throws Exception {
        Random random = new Random(7), chance = new Random(8);
        State state = new State();
        Keeper keeper = new Keeper(settings(maxPairs));
        keeper.restore(state.journal, state.snapshot, PRODUCTS);
        List<Output> out = new ArrayList<>();
        for (int n = 0; n < orders; n++) {
            if (restarts && chance.nextInt(orders / 12) == 0) {
                state = state.copy();
                keeper = new Keeper(settings(maxPairs));
                keeper.restore(state.journal, state.snapshot, PRODUCTS);
            }
            if (n % 37 == 0) {
                hand(keeper, new Bytes(13).writeByte(Decode.DEAD).writeInt(n % PARTITIONS).writeLong(n).toArray(), state);
            } else {
                hand(keeper, order(random, n), state);
            }
            if (n % 100 == 0) {
                out.addAll(keeper.tick(START + n * 50L + 1000, new boolean[PARTITIONS], PRODUCTS, state.journal, state.snapshot));
            }
        }
        boolean[] caughtUp = {true, true, true};
        for (int i = 0; i < 400; i++) { // silence: the watermark goes on with the clock
            out.addAll(keeper.tick(START + orders * 50L + i * 400L, caughtUp, PRODUCTS, state.journal, state.snapshot));
        }
        assertEquals(orders, keeper.next()[(orders - 1) % PARTITIONS]);
        return out;
    }

    @Test
    void restartsDoNotShow() throws Exception {
        List<Output> expected = play(20_000, Settings.MAX_SHOPPER_PAIRS, false);
        assertEquals(expected, play(20_000, Settings.MAX_SHOPPER_PAIRS, true));
        assertTrue(expected.size() > 5000, "only " + expected.size() + " records");
        for (String topic : List.of("windows", "metrics", "history", "trending", "shipments")) {
            assertTrue(expected.stream().anyMatch(o -> o.topic().equals(topic)), topic);
        }
        assertTrue(expected.stream().anyMatch(o -> o.topic().equals("windows") && !o.value().contains("\"revision\":0")), "no correction");
    }

    /** Where shoppers are estimated, which makes a window cost milliseconds. */
    @Test
    void restartsDoNotShowInEstimates() throws Exception {
        assertEquals(play(1500, 300, false), play(1500, 300, true));
    }

    @Test
    void stateOfOtherSettingsIsRefused() throws Exception {
        State state = new State();
        Settings dollar = settings(Settings.MAX_SHOPPER_PAIRS);
        Keeper keeper = new Keeper(dollar);
        keeper.restore(state.journal, state.snapshot, PRODUCTS);
        hand(keeper, order(new Random(1), 0), state); // though no snapshot was due yet
        Settings euro = new Settings("EUR", 2000, 60_000, 5000, START, 250, 5000, 300, 1000);
        IOException refused = assertThrows(IOException.class, () -> new Keeper(euro).restore(state.journal, state.snapshot, PRODUCTS));
        assertTrue(refused.getMessage().contains("currency USD") && refused.getMessage().contains("begin all figures anew"), refused.getMessage());
        Map<Integer, byte[]> chunks = state.snapshot.getMap();
        chunks.put(0, java.util.Arrays.copyOf(chunks.get(0), chunks.get(0).length / 2));
        IOException torn = assertThrows(IOException.class, () -> new Keeper(dollar).restore(state.journal, state.snapshot, PRODUCTS));
        assertTrue(torn.getMessage().contains("older checkpoint"), torn.getMessage());
        chunks.remove(0);
        assertThrows(IOException.class, () -> new Keeper(dollar).restore(state.journal, state.snapshot, PRODUCTS));
        chunks.put(0, new byte[] {0, 0, 0, 0, 0, 0, 0, 0}); // no partitions, and version 0
        IOException old = assertThrows(IOException.class, () -> new Keeper(dollar).restore(state.journal, state.snapshot, PRODUCTS));
        assertTrue(old.getMessage().contains("state of version 0, this job reads"), old.getMessage());
    }
}
