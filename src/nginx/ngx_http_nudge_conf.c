
/*
 * The directives: what each accepts, and what is inherited.  A mistake is
 * reported with the offending word and what was expected instead; nothing is
 * opened or created here, see setup.c.
 */


#include "ngx_http_nudge.h"


static char *ngx_http_nudge_state(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_nudge_servers(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_nudge_path(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_nudge_cookie_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_nudge_consent(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_nudge_preset_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_nudge_event_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_nudge_status_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_nudge_sender_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

ngx_command_t  ngx_http_nudge_commands[] = {

    { ngx_string("nudge"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_nudge_loc_conf_t, enable),
      NULL },

    { ngx_string("nudge_state"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_nudge_state,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("nudge_memcached"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_nudge_servers,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("nudge_key"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_nudge_main_conf_t, key_file),
      NULL },

    { ngx_string("nudge_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_nudge_main_conf_t, zone_size),
      NULL },

    { ngx_string("nudge_sender"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_nudge_sender_conf,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("nudge_store"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_nudge_main_conf_t, store),
      NULL },

    { ngx_string("nudge_share"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_nudge_main_conf_t, share),
      NULL },

    { ngx_string("nudge_campaign"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_SRV_CONF_OFFSET,
      offsetof(ngx_http_nudge_srv_conf_t, campaign),
      NULL },

    { ngx_string("nudge_path"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_http_nudge_path,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("nudge_cookie"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_http_nudge_cookie_conf,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("nudge_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_SRV_CONF_OFFSET,
      offsetof(ngx_http_nudge_srv_conf_t, timeout),
      NULL },

    { ngx_string("nudge_status"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_http_nudge_status_conf,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("nudge_preset"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_nudge_preset_conf,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("nudge_event"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_nudge_event_conf,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("nudge_consent"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_nudge_consent,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("nudge_body_size"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_nudge_loc_conf_t, body_size),
      NULL },

      ngx_null_command
};


void *
ngx_http_nudge_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_nudge_main_conf_t  *nmcf;

    nmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_nudge_main_conf_t));
    if (nmcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     nmcf->state = { 0, NULL };
     *     nmcf->state_max = 0;
     *     nmcf->memcached = NULL;
     *     nmcf->key_file, sender, share, store = { 0, NULL };
     *     nmcf->keys = { 0 };
     *     nmcf->zone = NULL;
     *     nmcf->on = 0;
     */

    nmcf->zone_size = NGX_CONF_UNSET_SIZE;
    nmcf->sender_on = NGX_CONF_UNSET;

    if (ngx_array_init(&nmcf->shops, cf->pool, 4,
                       sizeof(ngx_http_nudge_shop_t *))
        != NGX_OK)
    {
        return NULL;
    }

    return nmcf;
}


void *
ngx_http_nudge_create_srv_conf(ngx_conf_t *cf)
{
    ngx_http_nudge_srv_conf_t  *nscf;

    nscf = ngx_pcalloc(cf->pool, sizeof(ngx_http_nudge_srv_conf_t));
    if (nscf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     nscf->on = 0;
     *     nscf->campaign, path, cookie, cookie_domain, cookie_path = { 0 };
     *     nscf->shop = NULL;
     */

    nscf->cookie_secure = NGX_CONF_UNSET_UINT;
    nscf->timeout = NGX_CONF_UNSET_MSEC;
    nscf->status = NGX_CONF_UNSET_PTR;

    return nscf;
}


char *
ngx_http_nudge_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_nudge_srv_conf_t *prev = parent;
    ngx_http_nudge_srv_conf_t *conf = child;

    if (conf->cookie.data == NULL) {
        conf->cookie_domain = prev->cookie_domain;
        conf->cookie_path = prev->cookie_path;
        conf->cookie_secure = prev->cookie_secure;
    }

    ngx_conf_merge_str_value(conf->cookie, prev->cookie, "nudge");
    ngx_conf_merge_uint_value(conf->cookie_secure, prev->cookie_secure, 2);

    if (conf->cookie_path.len == 0) {
        ngx_str_set(&conf->cookie_path, "/");
    }

    ngx_conf_merge_str_value(conf->campaign, prev->campaign, "");
    ngx_conf_merge_str_value(conf->path, prev->path, "/nudge/");
    ngx_conf_merge_msec_value(conf->timeout, prev->timeout, 20);
    ngx_conf_merge_ptr_value(conf->status, prev->status, NULL);

    return NGX_CONF_OK;
}


void *
ngx_http_nudge_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_nudge_loc_conf_t  *nlcf;

    nlcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_nudge_loc_conf_t));
    if (nlcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     nlcf->preset_name = { 0, NULL };
     *     nlcf->preset = NULL;
     *     nlcf->consent_source = NULL;
     */

    nlcf->enable = NGX_CONF_UNSET;
    nlcf->events = NGX_CONF_UNSET_PTR;
    nlcf->consent = NGX_CONF_UNSET_UINT;
    nlcf->body_size = NGX_CONF_UNSET_SIZE;

    return nlcf;
}


char *
ngx_http_nudge_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_nudge_loc_conf_t *prev = parent;
    ngx_http_nudge_loc_conf_t *conf = child;

    ngx_http_nudge_srv_conf_t   *nscf;
    ngx_http_nudge_main_conf_t  *nmcf;

    if (conf->consent == NGX_CONF_UNSET_UINT) {
        conf->consent_source = prev->consent_source;
    }

    ngx_conf_merge_value(conf->enable, prev->enable, 0);
    ngx_conf_merge_ptr_value(conf->events, prev->events, NULL);
    ngx_conf_merge_uint_value(conf->consent, prev->consent,
                              NUDGE_CONSENT_AUTO);
    ngx_conf_merge_size_value(conf->body_size, prev->body_size, 16384);
    ngx_conf_merge_str_value(conf->preset_name, prev->preset_name,
                             "woocommerce");

    if (!conf->enable) {
        return NGX_CONF_OK;
    }

    nmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_nudge_module);
    nmcf->on = 1;

    nscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_nudge_module);
    nscf->on = 1;

    if (ngx_strcmp(conf->preset_name.data, "off") != 0) {
        conf->preset = ngx_http_nudge_preset_load(cf, &conf->preset_name);
        if (conf->preset == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_nudge_state(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_nudge_main_conf_t *nmcf = conf;

    ngx_str_t  *value, s;

    if (nmcf->state.len) {
        return "is duplicate";
    }

    value = cf->args->elts;
    nmcf->state = value[1];

    if (nmcf->state.len > 1
        && nmcf->state.data[nmcf->state.len - 1] == '/')
    {
        nmcf->state.len--;
        nmcf->state.data[nmcf->state.len] = '\0';
    }

    if (ngx_conf_full_name(cf->cycle, &nmcf->state, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 3) {

        if (ngx_strncmp(value[2].data, "max=", 4) != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", expected "
                               "\"max=SIZE\"", &value[2]);
            return NGX_CONF_ERROR;
        }

        s.data = value[2].data + 4;
        s.len = value[2].len - 4;

        nmcf->state_max = ngx_parse_offset(&s);
        if (nmcf->state_max < 1024 * 1024) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid size \"%V\", expected at least 1m",
                               &value[2]);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_nudge_servers(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_nudge_main_conf_t *nmcf = conf;

    ngx_str_t   *value, *server;
    ngx_url_t    u;
    ngx_uint_t   i;

    if (nmcf->memcached != NULL) {
        return "is duplicate";
    }

    nmcf->memcached = ngx_array_create(cf->pool, 2, sizeof(ngx_str_t));
    if (nmcf->memcached == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        ngx_memzero(&u, sizeof(ngx_url_t));
        u.url = value[i];
        u.default_port = 11211;
        u.no_resolve = 1;

        if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "%s in nudge_memcached \"%V\"",
                               u.err ? u.err : "error", &value[i]);
            return NGX_CONF_ERROR;
        }

        server = ngx_array_push(nmcf->memcached);
        if (server == NULL) {
            return NGX_CONF_ERROR;
        }

        *server = value[i];
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_nudge_path(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_nudge_srv_conf_t *nscf = conf;

    ngx_str_t  *value;

    if (nscf->path.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len < 3 || value[1].data[0] != '/'
        || value[1].data[value[1].len - 1] != '/')
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid nudge_path \"%V\", expected a path such "
                           "as \"/nudge/\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    nscf->path = value[1];

    return NGX_CONF_OK;
}


static char *
ngx_http_nudge_cookie_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_nudge_srv_conf_t *nscf = conf;

    u_char      *p;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (nscf->cookie.data != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (p = value[1].data; p < value[1].data + value[1].len; p++) {
        if (*p <= ' ' || *p >= 0x7f || ngx_strchr("()<>@,;:\\\"/[]?={}", *p)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid cookie name \"%V\"", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    nscf->cookie = value[1];
    nscf->cookie_secure = 2;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "domain=", 7) == 0) {
            nscf->cookie_domain.data = value[i].data + 7;
            nscf->cookie_domain.len = value[i].len - 7;

        } else if (ngx_strncmp(value[i].data, "path=/", 6) == 0) {
            nscf->cookie_path.data = value[i].data + 5;
            nscf->cookie_path.len = value[i].len - 5;

        } else if (ngx_strcmp(value[i].data, "secure=on") == 0) {
            nscf->cookie_secure = 1;

        } else if (ngx_strcmp(value[i].data, "secure=off") == 0) {
            nscf->cookie_secure = 0;

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", expected "
                               "\"domain=\", \"path=/...\" or "
                               "\"secure=on|off\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_nudge_complex(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_complex_value_t **cv)
{
    ngx_http_compile_complex_value_t  ccv;

    *cv = ngx_pcalloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (*cv == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));
    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = *cv;

    return ngx_http_compile_complex_value(&ccv);
}


static char *
ngx_http_nudge_consent(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_nudge_loc_conf_t *nlcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    static const char  *modes[] = { "auto", "required", "session", "off" };

    if (nlcf->consent != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 0; i < 4; i++) {
        if (ngx_strcmp(value[1].data, modes[i]) == 0) {
            break;
        }
    }

    if (i == 4) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\", expected \"auto\", "
                           "\"required SOURCE\", \"session\" or \"off\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    nlcf->consent = i;

    if ((i == NUDGE_CONSENT_REQUIRED) != (cf->args->nelts == 3)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"nudge_consent required\" and no other takes a "
                           "source: \"cookiebot\" or a value such as "
                           "$cookie_consent");
        return NGX_CONF_ERROR;
    }

    if (i == NUDGE_CONSENT_REQUIRED
        && ngx_strcmp(value[2].data, "cookiebot") != 0
        && ngx_http_nudge_complex(cf, &value[2], &nlcf->consent_source)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_nudge_preset_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_nudge_loc_conf_t *nlcf = conf;

    ngx_str_t  *value;

    if (nlcf->preset_name.len) {
        return "is duplicate";
    }

    value = cf->args->elts;
    nlcf->preset_name = value[1];

    return NGX_CONF_OK;
}


static char *
ngx_http_nudge_event_param(ngx_conf_t *cf, ngx_http_nudge_declared_t *d,
    ngx_str_t *arg)
{
    size_t                             len;
    ngx_str_t                          value;
    ngx_uint_t                         i;
    ngx_http_nudge_param_t            *p;
    ngx_http_compile_complex_value_t   ccv;

    len = 0;

    for (i = 0; ngx_http_nudge_declare_params[i] != NULL; i++) {
        len = ngx_strlen(ngx_http_nudge_declare_params[i]);

        if (arg->len > len && arg->data[len] == '='
            && ngx_strncmp(arg->data, ngx_http_nudge_declare_params[i], len)
               == 0)
        {
            break;
        }
    }

    if (ngx_http_nudge_declare_params[i] == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" of nudge_event, "
                           "expected id=, name=, price=, quantity=, "
                           "currency=, order=, value=, email=, text= or if=",
                           arg);
        return NGX_CONF_ERROR;
    }

    p = ngx_array_push(&d->params);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    p->key.data = arg->data;
    p->key.len = len;

    value.data = arg->data + len + 1;
    value.len = arg->len - len - 1;

    ngx_memzero(&p->value, sizeof(ngx_http_complex_value_t));
    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));
    ccv.cf = cf;
    ccv.value = &value;
    ccv.complex_value = &p->value;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_nudge_event_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_nudge_loc_conf_t *nlcf = conf;

    ngx_str_t                  *value, s;
    ngx_uint_t                  i, order;
    nudge_str_t                 name;
    ngx_http_nudge_declared_t  *d;

    if (nlcf->events == NGX_CONF_UNSET_PTR) {
        nlcf->events = ngx_array_create(cf->pool, 4,
                                        sizeof(ngx_http_nudge_declared_t));
        if (nlcf->events == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    d = ngx_array_push(nlcf->events);
    if (d == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(d, sizeof(ngx_http_nudge_declared_t));

    if (ngx_array_init(&d->params, cf->pool, 4,
                       sizeof(ngx_http_nudge_param_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    name = ngx_http_nudge_str(value[1]);
    d->type = nudge_event_type(&name);

    if (d->type == NUDGE_EVENT_NONE || d->type == NUDGE_EVENT_GAP) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "unknown event \"%V\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    order = 0;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "if=", 3) == 0) {
            s.data = value[i].data + 3;
            s.len = value[i].len - 3;

            if (d->filter != NULL) {
                return "has a duplicate \"if=\"";
            }

            if (ngx_http_nudge_complex(cf, &s, &d->filter) != NGX_OK) {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        if (ngx_http_nudge_event_param(cf, d, &value[i]) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }

        order |= (ngx_strncmp(value[i].data, "order=", 6) == 0);
    }

    if (d->type == NUDGE_EVENT_PURCHASE && !order) {
        return "with \"purchase\" needs \"order=\", so that an order counts "
               "once";
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_nudge_status_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_nudge_srv_conf_t *nscf = conf;

    ngx_int_t    rc;
    ngx_str_t   *value;
    ngx_uint_t   i;
    ngx_cidr_t  *cidr;

    if (nscf->status != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    nscf->status = ngx_array_create(cf->pool, 2, sizeof(ngx_cidr_t));
    if (nscf->status == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        cidr = ngx_array_push(nscf->status);
        if (cidr == NULL) {
            return NGX_CONF_ERROR;
        }

        rc = ngx_ptocidr(&value[i], cidr);

        if (rc == NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid address \"%V\", expected addresses, "
                               "networks or \"off\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        if (rc == NGX_DONE) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "low address bits of \"%V\" are meaningless",
                               &value[i]);
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_nudge_sender_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_nudge_main_conf_t *nmcf = conf;

    ngx_str_t  *value;

    if (nmcf->sender_on != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        nmcf->sender_on = 0;
        return NGX_CONF_OK;
    }

    nmcf->sender_on = 1;
    nmcf->sender = value[1];

    if (ngx_conf_full_name(cf->cycle, &nmcf->sender, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
