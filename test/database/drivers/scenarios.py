# Scenarios of PyMySQL, each of which prints what it saw as JSON.
import datetime
import decimal
import hashlib
import json
import sys

import pymysql
import pymysql.cursors

INSERT = "INSERT INTO orders (id, name) VALUES (%s, %s)"


def plain(value):
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, (datetime.date, datetime.datetime, decimal.Decimal)):
        return str(value)
    return value


def attempt(cursor, sql, values=None):
    try:
        return {"rows": cursor.execute(sql, values)}
    except pymysql.MySQLError as error:
        return {"errno": error.args[0], "message": str(error.args[1])}


def values(connection):
    blob = bytes((at * 31 + (at >> 8)) & 0xFF for at in range(1 << 20))
    sent = [
        (1, "Zoë 🚀 'orders' \\ \"orders\" 灰度", "", blob, datetime.date(2024, 2, 29),
         datetime.datetime(2024, 2, 29, 23, 59, 59, 123456), decimal.Decimal("-12345678901234.567891"),
         -128, -(2**63), -1.5e-300),
        (2,) + (None,) * 9,
    ]
    with connection.cursor() as cursor:
        for row in sent:
            cursor.execute("INSERT INTO orders VALUES (" + ", ".join(["%s"] * 10) + ")", row)
        connection.commit()
        cursor.execute("SELECT * FROM orders ORDER BY id")
        found = cursor.fetchall()
    return {"same": list(found) == sent, "rows": [[plain(value) for value in row] for row in found]}


def errors(connection, *texts):
    connection.autocommit(True)
    with connection.cursor() as cursor:
        cursor.execute(INSERT, (1, "a"))
        outcomes = [attempt(cursor, text) for text in texts]
        cursor.execute("SELECT id FROM orders")
        return {"outcomes": outcomes, "rows": cursor.fetchall()}


def transactions(connection):
    with connection.cursor() as cursor:
        cursor.execute(INSERT, (1, "a"))
        connection.rollback()
        connection.begin()
        cursor.execute(INSERT, (2, "a"))
        cursor.execute("SAVEPOINT here")
        cursor.execute(INSERT, (3, "a"))
        cursor.execute("ROLLBACK TO SAVEPOINT here")
        connection.commit()
        cursor.execute(INSERT, (4, "a"))  # never committed
        return {"last": cursor.lastrowid}


def many(connection):
    connection.autocommit(True)
    with connection.cursor() as cursor:
        count = cursor.executemany(INSERT, [(at + 1, "🚀 %s" % at) for at in range(5000)])
        updated = cursor.executemany("UPDATE orders SET name = %s WHERE id = %s", [("b", 1), ("b", 2)])
        cursor.execute("INSERT INTO orders (name) VALUES ('made')")
        return {"count": count, "updated": updated, "made": cursor.lastrowid}


def streams(connection):
    with connection.cursor() as cursor:
        cursor.executemany(INSERT, [(at + 1, "x" * 100) for at in range(20000)])
    connection.commit()
    with connection.cursor(pymysql.cursors.SSCursor) as cursor:
        cursor.execute("SELECT id, name FROM orders")
        total = sum(row[0] for row in cursor)
    with connection.cursor(pymysql.cursors.SSDictCursor) as cursor:
        cursor.execute("SELECT orders.id FROM orders ORDER BY id")
        first = cursor.fetchmany(3)  # The rest is read away when it closes.
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM orders")
        return {"total": total, "first": first, "count": cursor.fetchone()[0]}


def several(connection, path):
    connection.autocommit(True)
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO orders (id) VALUES (1); SELECT id FROM orders; SELECT 'a;b'")
        sets = []
        while cursor.nextset():
            sets.append(cursor.fetchall())
        loaded = cursor.execute("LOAD DATA LOCAL INFILE %s INTO TABLE orders (id, name)", (path,))
        connection.select_db("mysql")
        cursor.execute("INSERT INTO app.orders (id) VALUES (4)")
        connection.select_db("app")
        connection.ping(reconnect=False)
        cursor.execute("INSERT INTO orders (id) VALUES (5)")
        return {"sets": sets, "loaded": loaded}


def session(connection, texts):
    connection.autocommit(True)
    with connection.cursor() as cursor:
        for text in texts:
            cursor.execute(text)
        cursor.execute("SHOW STATUS LIKE 'Ssl_cipher'")
        secret = cursor.fetchone()[1] != ""
        cursor.execute("SELECT CURRENT_USER()")
        return {"secret": secret, "user": cursor.fetchone()[0]}


def main(scenario, place):
    given = place.pop("given", [])
    if "ssl" in place:
        place["ssl"] = {"ca": place["ssl"], "check_hostname": False}
    flag = pymysql.constants.CLIENT.MULTI_STATEMENTS
    try:
        connection = pymysql.connect(charset="utf8mb4", client_flag=flag, local_infile=True, **place)
    except pymysql.MySQLError as error:
        return {"errno": error.args[0], "message": str(error.args[1])}
    answer = globals()[scenario](connection, *given)
    connection.close()
    return answer


print(json.dumps(main(sys.argv[1], json.loads(sys.argv[2]))))
