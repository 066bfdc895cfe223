from crewdoctor.net.resolv_conf import candidates, hosts_file_names, parse, read


def test_a_pod_of_kubernetes():
    conf = parse(
        "nameserver 10.96.0.10\nsearch ns.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n"
    )

    assert conf.nameservers == ("10.96.0.10",)
    assert conf.lines == {"10.96.0.10": 1}
    assert candidates("api.example.com", conf) == (
        "api.example.com.ns.svc.cluster.local.",
        "api.example.com.svc.cluster.local.",
        "api.example.com.cluster.local.",
        "api.example.com.",
    )
    assert candidates("api.example.com.", conf) == ("api.example.com.",)


def test_with_enough_dots_the_name_itself_comes_first():
    conf = parse("nameserver 10.0.0.1\nsearch corp.example\n")

    assert candidates("api.example.com", conf) == ("api.example.com.", "api.example.com.corp.example.")
    assert candidates("vault", conf) == ("vault.corp.example.", "vault.")


def test_limits_comments_and_the_variable():
    conf = parse(
        "# made by hand\nnameserver 10.0.0.1 ; first\nnameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n"
        "nameserver 10.0.0.4\noptions timeout:90 attempts:9 ndots:99\n",
        "timeout:3",
    )

    assert conf.nameservers == ("10.0.0.1", "10.0.0.2", "10.0.0.3")
    assert (conf.timeout, conf.attempts, conf.ndots) == (3.0, 5, 15)
    assert conf.lines == {"10.0.0.1": 2, "10.0.0.2": 4, "10.0.0.3": 5}


def test_no_file_means_this_machine(tmp_path):
    conf = read(str(tmp_path / "absent"), "")

    assert conf.nameservers == ("127.0.0.1",)
    assert (conf.timeout, conf.attempts, conf.ndots) == (5.0, 2, 1)


def test_names_of_the_hosts_file(tmp_path):
    path = tmp_path / "hosts"
    path.write_text("127.0.0.1 localhost\n10.0.0.9 Vault vault.corp  # kept by hand\n", encoding="ascii")

    assert hosts_file_names(str(path)) == {"localhost", "vault", "vault.corp"}
