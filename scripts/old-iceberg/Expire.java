import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.iceberg.IcebergBuild;
import org.apache.iceberg.Table;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.jdbc.JdbcCatalog;

/** Expires every snapshot of a table that may go, with its files, as a program does that knows nothing of the ledger. */
public final class Expire {
  private static final long LATER_MS = 3_600_000;

  private Expire() {}

  /** Arguments: SQLite file, warehouse, the catalog's name, namespace, table. */
  public static void main(String[] arguments) throws Exception {
    JdbcCatalog catalog = new JdbcCatalog();
    catalog.setConf(new Configuration());
    catalog.initialize(arguments[2], Map.of("uri", "jdbc:sqlite:" + arguments[0], "warehouse", arguments[1]));
    Table table = catalog.loadTable(TableIdentifier.of(arguments[3], arguments[4]));
    int before = size(table);
    table.expireSnapshots().expireOlderThan(System.currentTimeMillis() + LATER_MS).retainLast(1).cleanExpiredFiles(true).commit();
    table.refresh();
    System.out.println("iceberg " + IcebergBuild.version() + ": " + before + " snapshots before, " + size(table) + " after");
  }

  private static int size(Table table) {
    int size = 0;
    for (Object ignored : table.snapshots()) {
      size++;
    }
    return size;
  }
}
