// What an application does by JDBC, on the connection of a URL; prints what it saw as JSON.
import java.io.ByteArrayInputStream;
import java.math.BigDecimal;
import java.security.MessageDigest;
import java.sql.Connection;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

public class Scenarios {
  static final String INSERT = "INSERT INTO orders (id, name) VALUES (?, ?)";

  public static void main(String[] args) throws Exception {
    Map<String, Object> seen = new TreeMap<>();
    try (Connection connection = DriverManager.getConnection(args[0], "root", "")) {
      seen.put("values", values(connection));
      seen.put("errors", errors(connection, args));
      seen.put("transactions", transactions(connection));
      seen.put("batches", batches(connection));
      seen.put("keys", keys(connection));
      seen.put("stream", stream(connection, args[0].contains("useCursorFetch") || !args[0].contains(":mysql:")));
      seen.put("names", names(connection));
      seen.put("limits", limits(connection));
      seen.put("session", session(connection));
    }
    System.out.println(json(seen));
  }

  static Object values(Connection connection) throws Exception {
    byte[] blob = new byte[1 << 20];
    for (int at = 0; at < blob.length; at++) blob[at] = (byte) (at * 31 + (at >> 8));
    try (PreparedStatement insert = connection.prepareStatement("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")) {
      insert.setInt(1, 1);
      insert.setString(2, "Zoë 🚀 'orders' \\ \"orders\" 灰度");
      insert.setString(3, "");
      // In pieces of its own, where the server has prepared it.
      insert.setBinaryStream(4, new ByteArrayInputStream(blob));
      insert.setDate(5, Date.valueOf("2024-02-29"));
      insert.setString(6, "2024-02-29 23:59:59.123456");
      insert.setBigDecimal(7, new BigDecimal("-12345678901234.567891"));
      insert.setByte(8, (byte) -128);
      insert.setLong(9, Long.MIN_VALUE);
      insert.setDouble(10, -1.5e-300);
      insert.executeUpdate();
      insert.setInt(1, 2);
      for (int at = 2; at <= 10; at++) insert.setNull(at, at == 4 ? Types.BLOB : Types.VARCHAR);
      insert.executeUpdate();
    }
    List<Object> rows = new ArrayList<>();
    try (PreparedStatement select = connection.prepareStatement("SELECT * FROM orders WHERE id <= ? ORDER BY id")) {
      select.setInt(1, 2);
      ResultSet found = select.executeQuery();
      while (found.next()) {
        List<Object> row = new ArrayList<>();
        row.add(found.getInt(1));
        row.add(found.getString("name"));
        row.add(found.getString("note"));
        byte[] body = found.getBytes("body");
        row.add(body == null ? null : HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(body)));
        row.add(found.getDate("day"));
        row.add(found.getString("at"));
        row.add(found.getBigDecimal("price"));
        row.add(found.getObject("small"));
        row.add(found.getObject("big") == null ? null : String.valueOf(found.getLong("big")));
        row.add(found.getObject("ratio"));
        rows.add(row);
      }
    }
    return rows;
  }

  static Object errors(Connection connection, String[] args) throws SQLException {
    List<Object> outcomes = new ArrayList<>();
    for (int at = 1; at < args.length; at++) {
      try (Statement statement = connection.createStatement()) {
        statement.execute(args[at]);
        outcomes.add("done");
      } catch (SQLException error) {
        outcomes.add(List.of(error.getErrorCode(), error.getMessage()));
      }
      try (PreparedStatement statement = connection.prepareStatement(args[at])) {
        statement.execute();
        outcomes.add("done");
      } catch (SQLException error) {
        outcomes.add(List.of(error.getErrorCode(), error.getMessage()));
      }
    }
    return outcomes;
  }

  static Object transactions(Connection connection) throws SQLException {
    connection.setAutoCommit(false);
    try (PreparedStatement insert = connection.prepareStatement(INSERT)) {
      for (int id = 10; id < 14; id++) {
        insert.setInt(1, id);
        insert.setString(2, "a");
        insert.executeUpdate();
        if (id % 2 == 0) connection.rollback();
        else connection.commit();
      }
    }
    connection.setAutoCommit(true);
    return column(connection, "SELECT id FROM orders WHERE id BETWEEN 10 AND 14 ORDER BY id");
  }

  static Object batches(Connection connection) throws SQLException {
    int sum = 0;
    try (PreparedStatement insert = connection.prepareStatement(INSERT)) {
      for (int id = 100; id < 300; id++) {
        insert.setInt(1, id);
        insert.setString(2, id % 3 == 0 ? null : "name 🚀 " + id);
        insert.addBatch();
      }
      sum += insert.executeBatch().length;
    }
    try (PreparedStatement update = connection.prepareStatement("UPDATE orders SET note = ? WHERE orders.id = ?")) {
      for (int id = 100; id < 110; id++) {
        update.setString(1, "note; " + id);
        update.setInt(2, id);
        update.addBatch();
      }
      sum += update.executeBatch().length;
    }
    try (Statement statement = connection.createStatement()) {
      for (int id = 300; id < 310; id++) statement.addBatch("INSERT INTO orders (id, name) VALUES (" + id + ", 'a;b')");
      statement.addBatch("DELETE FROM orders WHERE id = 309");
      sum += statement.executeBatch().length;
    }
    List<Object> seen = column(connection, "SELECT COUNT(*) FROM orders WHERE id >= 100");
    seen.addAll(column(connection, "SELECT note FROM orders WHERE id = 109"));
    seen.add(sum);
    return seen;
  }

  static Object keys(Connection connection) throws SQLException {
    List<Object> made = new ArrayList<>();
    String sql = "INSERT INTO orders (name) VALUES (?)";
    try (PreparedStatement insert = connection.prepareStatement(sql, Statement.RETURN_GENERATED_KEYS)) {
      for (int at = 0; at < 2; at++) {
        insert.setString(1, "made");
        insert.executeUpdate();
        ResultSet found = insert.getGeneratedKeys();
        while (found.next()) made.add(found.getLong(1));
      }
    }
    return made;
  }

  static Object stream(Connection connection, boolean isSized) throws SQLException {
    long sum = 0;
    try (PreparedStatement select = connection.prepareStatement("SELECT id, name FROM orders WHERE id >= ?")) {
      select.setFetchSize(isSized ? 7 : Integer.MIN_VALUE);
      select.setInt(1, 100);
      ResultSet found = select.executeQuery();
      while (found.next()) sum += found.getLong(1);
    }
    return sum;
  }

  static Object names(Connection connection) throws SQLException {
    List<Object> seen = new ArrayList<>();
    var metadata = connection.getMetaData();
    ResultSet tables = metadata.getTables("app", null, "orders", null);
    while (tables.next()) seen.add(tables.getString("TABLE_NAME"));
    ResultSet keys = metadata.getPrimaryKeys("app", null, "orders");
    while (keys.next()) seen.add(keys.getString("COLUMN_NAME"));
    ResultSet columns = metadata.getColumns("app", null, "orders", "%");
    int count = 0;
    while (columns.next()) count++;
    seen.add(count);
    try (Statement statement = connection.createStatement()) {
      var described = statement.executeQuery("SELECT orders.name FROM orders").getMetaData();
      seen.add(described.getColumnLabel(1));
    }
    return seen;
  }

  /** Drivers say these before or around the statement. */
  static Object limits(Connection connection) throws SQLException {
    List<Object> seen = new ArrayList<>();
    for (String sql : List.of("SELECT id FROM orders WHERE id >= 100 ORDER BY id", "UPDATE orders SET note = 'late' WHERE id = 100"))
      try (PreparedStatement statement = connection.prepareStatement(sql)) {
        statement.setQueryTimeout(20);
        statement.setMaxRows(2);
        if (statement.execute()) {
          ResultSet found = statement.getResultSet();
          while (found.next()) seen.add(found.getInt(1));
        } else seen.add(statement.getUpdateCount());
      }
    try (Statement statement = connection.createStatement()) {
      statement.setQueryTimeout(20);
      statement.setMaxRows(1);
      ResultSet found = statement.executeQuery("SELECT {fn UCASE(orders.name)} FROM {oj orders LEFT OUTER JOIN items ON items.id = orders.id} WHERE orders.id = 310 AND {d '2024-02-29'} IS NOT NULL");
      while (found.next()) seen.add(found.getString(1));
    }
    return seen;
  }

  static Object session(Connection connection) throws SQLException {
    connection.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
    connection.setCatalog("mysql");
    connection.setCatalog("app");
    connection.setAutoCommit(false);
    try (Statement statement = connection.createStatement()) {
      statement.executeUpdate("INSERT INTO orders (id) VALUES (400)");
      var place = connection.setSavepoint("here");
      statement.executeUpdate("INSERT INTO orders (id) VALUES (401)");
      connection.rollback(place);
      connection.commit();
      connection.setReadOnly(true);
      statement.executeQuery("SELECT id FROM orders").close();
      connection.commit();
      connection.setReadOnly(false);
      connection.setAutoCommit(true);
      statement.executeUpdate("INSERT INTO orders (id) VALUES (402)");
    }
    return List.of(String.valueOf(connection.isValid(5)), connection.getCatalog(), connection.getTransactionIsolation());
  }

  static List<Object> column(Connection connection, String sql) throws SQLException {
    List<Object> values = new ArrayList<>();
    try (Statement statement = connection.createStatement()) {
      ResultSet found = statement.executeQuery(sql);
      while (found.next()) values.add(found.getObject(1));
    }
    return values;
  }

  static String json(Object value) {
    if (value == null || value instanceof Integer || value instanceof Long || value instanceof Double) return String.valueOf(value);
    if (value instanceof Map<?, ?> map)
      return "{" + String.join(",", map.entrySet().stream().map((one) -> json(one.getKey()) + ":" + json(one.getValue())).toList()) + "}";
    if (value instanceof List<?> list) return "[" + String.join(",", list.stream().map(Scenarios::json).toList()) + "]";
    StringBuilder text = new StringBuilder("\"");
    for (char each : value.toString().toCharArray())
      text.append(each >= ' ' && each < 127 && each != '"' && each != '\\' ? String.valueOf(each) : String.format("\\u%04x", (int) each));
    return text.append('"').toString();
  }
}
