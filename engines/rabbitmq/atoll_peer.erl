%% Who may become a member of the brokers' cluster: hosts with engines only. Any host of the cluster
%% has a certificate that the cluster's CA has signed, so the chain alone says too little. Named in
%% the options of Erlang's distribution over TLS (verify_fun; ssl(3erl)).
-module(atoll_peer).
-export([verify/3]).

%% Hosts: names for one of which the certificate of whoever connects must be.
verify(_Certificate, {bad_cert, _} = Reason, _Hosts) -> {fail, Reason};
verify(_Certificate, {extension, _}, Hosts) -> {unknown, Hosts};
verify(_Certificate, valid, Hosts) -> {valid, Hosts};
verify(Certificate, valid_peer, Hosts) ->
    case lists:any(fun(Host) -> public_key:pkix_verify_hostname(Certificate, [{dns_id, Host}]) end, Hosts) of
        true -> {valid, Hosts};
        false -> {fail, no_member}
    end.
